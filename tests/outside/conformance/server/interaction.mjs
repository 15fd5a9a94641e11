// Tools that send notifications and requests while they run.

import { setTimeout as sleep } from 'node:timers/promises';

import * as z from 'zod/v4';

import { announce } from './changes.mjs';
import { text } from './content.mjs';

export function addInteraction(server, endStream) {
  const tool = (name, run, shape = {}) => {
    const about = { description: `The tool ${name}`, inputSchema: z.object(shape) };
    server.registerTool(name, about, async (args, ctx) => ({ content: [text(await run(args, ctx))] }));
  };

  tool('test_tool_with_logging', async (_args, { mcpReq }) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } });
      await sleep(50);
    }
    return 'logged';
  });
  // Sent only to clients that asked for a level.
  tool('test_logging_tool', async (_args, { mcpReq }) => {
    await mcpReq.log('info', 'test_logging_tool ran');
    return 'logged';
  });
  tool('test_tool_with_progress', async (_args, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of progressToken === undefined ? [] : [0, 50, 100]) {
      const params = { progressToken, progress, total: 100, message: `Completed step ${progress} of 100` };
      await mcpReq.notify({ method: 'notifications/progress', params });
      await sleep(50);
    }
    return String(progressToken);
  });
  tool('test_reconnection', async (_args, { mcpReq }) => {
    endStream?.(mcpReq.id);
    await sleep(100);
    return 'sent after the client has come back';
  });
  tool(
    'test_sampling',
    async ({ prompt }, { mcpReq }) => {
      const messages = [{ role: 'user', content: text(prompt) }];
      const sampled = await mcpReq.send({
        method: 'sampling/createMessage',
        params: { messages, maxTokens: 100 },
      });
      return `LLM response: ${sampled.content?.text}`;
    },
    { prompt: z.string().describe('The prompt to send to the LLM') },
  );
  const ask = async ({ mcpReq }, message, properties, required = []) => {
    const requestedSchema = { type: 'object', properties, required };
    const { action, content } = await mcpReq.send({
      method: 'elicitation/create',
      params: { message, requestedSchema },
    });
    return `action=${action}, content=${JSON.stringify(content ?? {})}`;
  };
  tool(
    'test_elicitation',
    async ({ message }, ctx) => {
      const response = { type: 'string', description: "User's response" };
      return `User response: ${await ask(ctx, message, { response }, ['response'])}`;
    },
    { message: z.string().describe('The message to show the user') },
  );
  tool('test_elicitation_sep1034_defaults', async (_args, ctx) => {
    return `Elicitation completed: ${await ask(ctx, 'Please review the form', DEFAULTS)}`;
  });
  tool('test_elicitation_sep1330_enums', async (_args, ctx) => {
    return `Elicitation completed: ${await ask(ctx, 'Please select options', CHOICES)}`;
  });
  tool('test_trigger_tool_change', async () => {
    await announce('tools');
    return 'announced';
  });
  tool('test_trigger_prompt_change', async () => {
    await announce('prompts');
    return 'announced';
  });
}

const DEFAULTS = {
  name: { type: 'string', description: 'User name', default: 'John Doe' },
  age: { type: 'integer', description: 'User age', default: 30 },
  score: { type: 'number', description: 'User score', default: 95.5 },
  status: { type: 'string', description: 'User status', enum: ['active', 'inactive', 'pending'], default: 'active' },
  verified: { type: 'boolean', description: 'Verification status', default: true },
};

const titled = (word) =>
  ['First', 'Second', 'Third'].map((title, index) => ({ const: `value${index + 1}`, title: `${title} ${word}` }));
const OPTIONS = ['option1', 'option2', 'option3'];
const CHOICES = {
  untitledSingle: { type: 'string', description: 'Select one option', enum: OPTIONS },
  titledSingle: { type: 'string', description: 'Select one option with titles', oneOf: titled('Option') },
  legacyEnum: {
    type: 'string',
    description: 'Select one option (legacy)',
    enum: ['opt1', 'opt2', 'opt3'],
    enumNames: ['Option One', 'Option Two', 'Option Three'],
  },
  untitledMulti: {
    type: 'array',
    description: 'Select multiple options',
    minItems: 1,
    maxItems: 3,
    items: { type: 'string', enum: OPTIONS },
  },
  titledMulti: {
    type: 'array',
    description: 'Select multiple options with titles',
    minItems: 1,
    maxItems: 3,
    items: { anyOf: titled('Choice') },
  },
};
