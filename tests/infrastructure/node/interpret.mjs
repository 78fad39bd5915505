// Runs a state machine in an interpreter that is neither AWS's nor the emulator's, its tasks played from a script.
//
// In, on standard input: {"definition", "input", "script": {"<state>": [<answer>, ...]}}; an answer is what a
// task returns, {"error", "cause"} for what it fails with, or "never"; the last one is given again and again.
// Out: {"status", "output" | "error", "calls": {"<state>": [<input of the task>, ...]}}.
import { readFileSync } from "node:fs";
import { StateMachine } from "aws-local-stepfunctions";

// AWS lets no wildcard match these.
const TERMINAL = new Set(["States.Runtime", "States.DataLimitExceeded"]);

const { definition, input, script } = JSON.parse(readFileSync(0, "utf8"));
const calls = Object.fromEntries(Object.keys(script).map((state) => [state, []]));

function played(state) {
  return async (given) => {
    const answers = script[state];
    const answer = answers[Math.min(calls[state].push(given), answers.length) - 1];
    if (answer === "never") return new Promise(() => {});
    if (answer?.error === undefined) return answer;
    const error = new Error(answer.cause ?? "");
    error.name = answer.error;
    error.isRetryable = error.isCatchable = !TERMINAL.has(answer.error);
    throw error;
  };
}

const states = Object.keys(script);
const machine = new StateMachine(definition, { validationOptions: { checkArn: false } });
const execution = machine.run(input, {
  // The interpreter has no tokens of its own.
  context: { Task: { Token: "token" } },
  overrides: {
    taskResourceLocalHandlers: Object.fromEntries(states.map((state) => [state, played(state)])),
    retryIntervalOverrides: Object.fromEntries(states.map((state) => [state, 0])),
    waitTimeOverrides: { Settle: 0, WaitForLaunch: 0 },
  },
});
try {
  const output = await execution.result;
  process.stdout.write(JSON.stringify({ status: "SUCCEEDED", output, calls }));
} catch (failed) {
  const cause = failed.cause ?? failed;
  process.stdout.write(JSON.stringify({ status: "FAILED", error: cause.name, calls }));
}
process.exit(0);
