// Runs state machines in an interpreter that is neither AWS's nor the emulator's, their tasks played from scripts.
//
// In, a line on standard input for each: {"definition", "input", "script": {"<state>": [<answer>, ...]}}; an answer
// is what a task returns, {"error", "cause"} for what it fails with, or "never"; the last one is given again and
// again. Out, a line for each: {"status", "output" | "error", "calls": {"<state>": [<input of the task>, ...]}}.
import { createInterface } from "node:readline";
import { StateMachine } from "aws-local-stepfunctions";

// AWS lets no wildcard match these.
const TERMINAL = new Set(["States.Runtime", "States.DataLimitExceeded"]);

// The definitions that the interpreter has found valid, which takes it longer than to run them.
const valid = new Set();

function play(answers, calls) {
  return async (given) => {
    const answer = answers[Math.min(calls.push(given), answers.length) - 1];
    if (answer === "never") return new Promise(() => {});
    if (answer?.error === undefined) return answer;
    const error = new Error(answer.cause ?? "");
    error.name = answer.error;
    error.isRetryable = error.isCatchable = !TERMINAL.has(answer.error);
    throw error;
  };
}

async function run({ definition, input, script }) {
  const states = Object.keys(script);
  const calls = Object.fromEntries(states.map((state) => [state, []]));
  const text = JSON.stringify(definition);
  const machine = new StateMachine(definition, {
    validationOptions: { checkArn: false, noValidate: valid.has(text) },
  });
  valid.add(text);
  const execution = machine.run(input, {
    // The interpreter has no tokens of its own.
    context: { Task: { Token: "token" } },
    overrides: {
      taskResourceLocalHandlers: Object.fromEntries(
        states.map((state) => [state, play(script[state], calls[state])]),
      ),
      retryIntervalOverrides: Object.fromEntries(states.map((state) => [state, 0])),
      waitTimeOverrides: { Settle: 0, WaitForLaunch: 0 },
    },
  });
  try {
    return { status: "SUCCEEDED", output: await execution.result, calls };
  } catch (failed) {
    return { status: "FAILED", error: (failed.cause ?? failed).name, calls };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
}
process.exit(0);
