/** The parts of an OpenAPI document that its page shows. */

interface Schema {
  $ref?: string;
  type?: string;
  format?: string;
  description?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

interface RequestBody {
  required?: boolean;
  content: { "application/json": { schema: Schema; examples?: Record<string, { value: unknown }> } };
}

interface Answer {
  description: string;
  headers?: Record<string, unknown>;
  content?: Record<string, { schema?: Schema; "x-events"?: Record<string, Schema> }>;
}

interface Operation {
  operationId: string;
  description?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: RequestBody;
  responses: Record<string, Answer>;
  security?: Record<string, string[]>[];
}

interface Route {
  path: string;
  method: string;
  operation: Operation;
}

interface OpenApi {
  info: { title: string; version: string; description: string };
  paths: Record<string, Partial<Record<"get" | "post" | "put" | "delete", Operation>>>;
  components: {
    schemas: Record<string, Schema>;
    securitySchemes?: Record<string, { type: string; description?: string }>;
  };
}
