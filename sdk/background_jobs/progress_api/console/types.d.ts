/** What the API answers, as the console reads it; the API's OpenAPI document says all of it. */

/** What ES2023 does not have yet: the text of a number, and a number that is written as its text. */
interface JSON {
  parse(text: string, reviver: (name: string, value: unknown, context?: { source?: string }) => unknown): any;
  rawJSON?(text: string): object;
}

type Status = "InProgress" | "Completed" | "Errored";
type OrchestrationStatus = Status | "Cancelled";
type Letter = "C" | "E" | "r" | "b" | "w";

interface Counts {
  waiting: number;
  running: number;
  completed: number;
  errored: number;
}

/** That nothing has moved for minutes: since when, and why. */
interface Standstill {
  since: string;
  why: string;
}

/** How many orchestrations need a look. */
interface OrchestrationCounts {
  in_progress: number;
  standing_still: number;
  waiting_for_launch: number;
  errored: number;
  truncated: boolean;
}

interface OrchestrationView {
  orchestration_id: string;
  job_name: string;
  service: string;
  status: OrchestrationStatus;
  stage: number;
  stages_left: number;
  next_skipped: string | null;
  pipeline_status: OrchestrationStatus | null;
  standstill: Standstill | null;
  waits_for: string | null;
  cancelled: boolean;
  total: number;
  counts: Counts;
  tags: Record<string, string>;
  parent_id: string | null;
  rerun_only: "failed" | "all" | "selected" | null;
  pipeline_id: string | null;
  started_at: string | null;
  started_by: string;
  cancelled_by: string;
  first_job_at: string | null;
  last_outcome_at: string | null;
  completed_at: string | null;
  eta_seconds: number | null;
}

interface TransitionView {
  index: number;
  status: Status;
  state: string;
  attempt: number | null;
  at: string;
}

interface InstanceProgress {
  index: number;
  attempt: number;
  percent: number;
  message: string;
}

interface Snapshot {
  orchestration: OrchestrationView;
  statuses: string;
  progress: InstanceProgress[];
}

interface Transitions {
  transitions: TransitionView[];
  counts: Counts;
  cancelled_at: string | null;
  eta_seconds: number | null;
}

/** What follows a stream: a handler for each of its events, for its state, and for its refusal. */
interface StreamHandlers {
  state: (state: StreamState) => void;
  snapshot: (data: Snapshot, version: number) => void;
  transitions: (data: Transitions, version: number) => void;
  progress: (data: { progress: InstanceProgress[] }, version: number) => void;
  completed: (data: { orchestration: OrchestrationView }, version: number) => void;
  refused: (error: unknown) => void;
}
type StreamState = "connecting" | "live" | "lost" | "ended";

interface OrchestrationPage {
  items: OrchestrationView[];
  next_token: string | null;
}

interface StageView {
  number: number;
  job_name: string;
  orchestration: OrchestrationView | null;
  skipped: string | null;
}

interface PipelineView {
  status: OrchestrationStatus;
  stages: StageView[];
}

interface Wait {
  reason: string;
  instances: number;
  since: string;
  detail: string;
  advice: string;
}

interface ParamInCommon {
  name: string;
  value: string;
  instances: number;
}

interface FailureCause {
  cause_id: string;
  repaired: number;
  type: string;
  message: string;
  place: string;
  count: number;
  retrying: number;
  indices: number[];
  common: ParamInCommon[];
}

/** A page of causes, the most frequent first; `causes` counts all of them. */
interface CausePage {
  items: FailureCause[];
  next_token: string | null;
  total: number;
  failed: number;
  retrying: number;
  causes: number;
}

/** Which instances run again. */
interface RerunChoice {
  only?: "failed" | "completed" | "all";
  cause?: string;
  indices?: string;
}

/** Params of an instance before a rerun and in it; null where they are large. */
interface ParamsChange {
  index: number;
  before: unknown;
  after: unknown;
}

interface RerunPreview {
  instances: number;
  indices: string;
  more_indices: boolean;
  repaired: number;
  next_stages: string[];
  goes_on: boolean;
  params: ParamsChange[];
  problems: ParamsProblem[];
}

interface JobError {
  type: string;
  message: string;
  traceback: string;
}

interface InstanceEvent {
  at: string;
  type: string;
  attempt?: number | null;
  detail: string;
  traceback?: string;
  retry_at?: string | null;
  started_at?: string | null;
}

interface InstanceDetail {
  instance: { index: number; job_id: string; state: string; attempt: number | null };
  params: unknown;
  result: unknown;
  error: JobError | null;
  log: string;
  events: InstanceEvent[];
  later_events: { sentence: string }[];
}

type ContainerState = "running" | "ended" | "failed" | "lost";

interface ContainerView {
  share: number;
  launch: number;
  first: number;
  last: number;
  state: ContainerState;
  reason: string;
  delay: string;
  started_at: string;
  ended_at: string | null;
  warm: boolean;
  memory_mib: number | null;
}

/** A page of launches, and what is known of all of them together. */
interface ContainerPage {
  items: ContainerView[];
  next_token: string | null;
  began_at: string;
  until: string;
  counts: Record<ContainerState, number>;
  bucket_seconds: number;
  at_once: number[];
  early_loss: string;
}

interface CostView {
  summary: string;
  lines: { service: string; usage: string; dollars: number }[];
}

interface RunFigures {
  orchestration_id: string;
  total: number;
  counts: Counts;
  seconds: number | null;
  completed_at: string | null;
}

interface CauseChange {
  type: string;
  message: string;
  before: number;
  after: number;
}

interface ComparisonView {
  before: RunFigures;
  after: RunFigures;
  new: CauseChange[];
  gone: CauseChange[];
  same: CauseChange[];
  more_causes: number;
}

interface LogLine {
  at: string | null;
  message: string;
  index: number | null;
  attempt: number | null;
  level: string;
  logger: string;
  extra: Record<string, unknown>;
}

/** Lines of a log, by time; *next_token* asks for what is written after them. */
interface LogPage {
  lines: LogLine[];
  next_token: string;
  more: boolean;
  cut: boolean;
  left_out: number;
  missing: string[];
  cloudwatch_url: string;
}

/** Outcomes in buckets of time. */
interface ThroughputView {
  version: number;
  began_at: string | null;
  bucket_seconds: number;
  completed: number[];
  errored: number[];
}

/** The columns of the chart: moments, rates, rates of errors, remaining seconds. */
type ChartColumns = [number[], number[], number[], (number | null)[]];

type AttributeValue = string | number | boolean | null | undefined | ((event: any) => unknown);
type Attributes = Record<string, AttributeValue>;
type Child = Node | string | null | undefined;
type Children = (Child | Child[])[];

/** What a page of the console does. */
interface View {
  update(place: any): void;
  close(): void;
}

/** The part of uPlot that the chart uses; the library is kept in vendor/, without its types. */
interface Plot {
  cursor: { idx: number | null | undefined };
  setData(columns: ChartColumns): void;
  setSize(size: { width: number; height: number }): void;
  destroy(): void;
}

interface Window {
  theme: { get(): string; set(name: string): void; next(): void };
  uPlot: {
    new (options: object, columns: ChartColumns, target: HTMLElement): Plot;
    paths: { stepped(options: { align: number }): unknown };
  };
}

/** Who sends the requests, and the services that it may read and change; null for all. */
interface CallerView {
  name: string;
  environment: string;
  readable: string[] | null;
  writable: string[] | null;
  signs_in: boolean;
}

/** The parts of a JSON Schema that a form reads. */
interface ParamsSchema {
  title?: string;
  type?: string;
  format?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  description?: string;
  required?: string[];
  properties?: Record<string, ParamsSchema>;
  additionalProperties?: unknown;
  anyOf?: ParamsSchema[];
  $ref?: string;
  $defs?: Record<string, ParamsSchema>;
}

interface JobView {
  name: string;
  aliases: string[];
  service: string | null;
  description: string;
  is_described: boolean;
  params_schema: ParamsSchema | null;
  retry: { max_attempts: number };
  timeout_seconds: number | null;
  concurrency: number;
}

interface FieldProblem {
  field: string;
  message: string;
}

interface ParamsProblem extends FieldProblem {
  index: number;
}

interface KickOffPreview {
  instances: number;
  containers: number;
  instances_per_container: number;
  first_params: unknown[];
  checked: number;
  problems: ParamsProblem[];
}

interface ScheduleView {
  name: string;
  state: "active" | "paused" | "over";
  job_name: string;
  service: string;
  due: string;
  timezone: string;
  start: string | null;
  end: string | null;
  overlap: string;
  jitter_minutes: number;
  parallelism: number | null;
  retry: { max_attempts: number } | null;
  timeout_seconds: number | null;
  notify: string[];
  instances: number | null;
  first_params: object[];
  tags: Record<string, string>;
  then: string[];
  declared: boolean;
  next_runs: string[];
}

interface ScheduleRun {
  scheduled_at: string;
  state: "started" | "queued" | "skipped" | "missed";
  orchestration_id: string | null;
  status: string | null;
  reason: string;
}

/** When a schedule is due within some time. */
interface ScheduleOccurrences {
  schedule: string;
  job_name: string;
  due: string;
  occurrences: string[];
  has_more: boolean;
}

/** A schedule as the body of PUT, of which the form shows a part. */
interface ScheduleDefinition {
  job_name: string;
  service: string | null;
  params: Record<string, unknown>[] | null;
  declared: boolean;
  cron: string | null;
  every: string | null;
  at: string | null;
  timezone: string;
  start: string | null;
  overlap: string;
  tags: Record<string, string>;
}
