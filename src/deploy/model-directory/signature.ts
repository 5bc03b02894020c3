/**
 * What a ResponsesAgent takes and answers, in MLflow's words. It is the same for every
 * agent: Model Serving knows by it that an agent is served.
 *
 * Source: MLflow 3.17.2, as its `save_model` writes it; a peer test compares the two.
 */

export const responsesAgentSignature = {
  inputs: [
    { type: "boolean", name: "background", required: false },
    {
      type: "object",
      properties: {
        conversation_id: { type: "string", required: false },
        user_id: { type: "string", required: false },
      },
      name: "context",
      required: false,
    },
    { type: "map", values: { type: "any" }, name: "custom_inputs", required: false },
    { type: "array", items: { type: "any" }, name: "input", required: true },
    { type: "long", name: "max_output_tokens", required: false },
    { type: "map", values: { type: "string" }, name: "metadata", required: false },
    { type: "boolean", name: "parallel_tool_calls", required: false },
    {
      type: "object",
      properties: {
        effort: { type: "string", required: false },
        generate_summary: { type: "string", required: false },
      },
      name: "reasoning",
      required: false,
    },
    { type: "boolean", name: "store", required: false },
    { type: "boolean", name: "stream", required: false },
    { type: "double", name: "temperature", required: false },
    { type: "any", name: "text", required: false },
    { type: "any", name: "tool_choice", required: false },
    {
      type: "array",
      items: { type: "object", properties: { type: { type: "string", required: true } } },
      name: "tools",
      required: false,
    },
    { type: "double", name: "top_p", required: false },
    { type: "string", name: "truncation", required: false },
    { type: "string", name: "user", required: false },
  ],
  outputs: [
    {
      type: "object",
      properties: {
        created_at: { type: "double", required: false },
        custom_outputs: { type: "map", values: { type: "any" }, required: false },
        error: {
          type: "object",
          properties: {
            code: { type: "string", required: false },
            message: { type: "string", required: true },
          },
          required: false,
        },
        id: { type: "string", required: false },
        incomplete_details: {
          type: "object",
          properties: { reason: { type: "string", required: false } },
          required: false,
        },
        instructions: { type: "string", required: false },
        max_output_tokens: { type: "long", required: false },
        metadata: { type: "map", values: { type: "string" }, required: false },
        model: { type: "string", required: false },
        object: { type: "string", required: true },
        output: {
          type: "array",
          items: { type: "object", properties: { type: { type: "string", required: true } } },
          required: true,
        },
        parallel_tool_calls: { type: "boolean", required: false },
        previous_response_id: { type: "string", required: false },
        reasoning: {
          type: "object",
          properties: {
            effort: { type: "string", required: false },
            generate_summary: { type: "string", required: false },
          },
          required: false,
        },
        status: { type: "string", required: false },
        temperature: { type: "double", required: false },
        text: { type: "any", required: false },
        tool_choice: { type: "any", required: false },
        tools: {
          type: "array",
          items: { type: "object", properties: { type: { type: "string", required: true } } },
          required: false,
        },
        top_p: { type: "double", required: false },
        truncation: { type: "string", required: false },
        usage: {
          type: "object",
          properties: {
            input_tokens: { type: "long", required: true },
            input_tokens_details: {
              type: "object",
              properties: { cached_tokens: { type: "long", required: true } },
              required: true,
            },
            output_tokens: { type: "long", required: true },
            output_tokens_details: {
              type: "object",
              properties: { reasoning_tokens: { type: "long", required: true } },
              required: true,
            },
            total_tokens: { type: "long", required: true },
          },
          required: false,
        },
        user: { type: "string", required: false },
      },
      required: true,
    },
  ],
} as const;
