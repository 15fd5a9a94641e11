// Tools of 2026-07-28 that need input: they answer with a question, and the client sends the request
// again with the answer. Nothing of it is kept in this process: any node can serve the next round.

import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  inputRequired,
  ProtocolError,
  ProtocolErrorCode,
} from '@modelcontextprotocol/server';
import * as z from 'zod/v4';

import { text } from './content.mjs';

/** Signs what a client sends back. All nodes need the same key; a real server's is secret. */
export const states = createRequestStateCodec({ key: new Uint8Array(32).fill(7) });

const form = (name, type) => ({ type: 'object', properties: { [name]: { type } }, required: [name] });
const askName = () => inputRequired.elicit({ message: 'What is your name?', requestedSchema: form('name', 'string') });
const confirm = () => inputRequired.elicit({ message: 'Please confirm', requestedSchema: form('ok', 'boolean') });
const sample = (question, maxTokens) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: text(question) }], maxTokens });

export function addRounds(server) {
  // `run` returns a text when it has all that it needs.
  const tool = (name, run) => {
    const about = { description: `The tool ${name}`, inputSchema: z.object({}) };
    server.registerTool(name, about, async (_args, { mcpReq }) => {
      const result = await run(mcpReq);
      return typeof result === 'string' ? { content: [text(result)] } : result;
    });
  };

  tool('test_input_required_result_elicitation', async ({ inputResponses }) => {
    const name = acceptedContent(inputResponses, 'user_name')?.name;
    return typeof name === 'string' ? `Hello, ${name}!` : inputRequired({ inputRequests: { user_name: askName() } });
  });
  tool('test_input_required_result_sampling', async ({ inputResponses }) => {
    const sampled = inputResponses?.capital_question;
    if (sampled) return `Sampling response: ${sampled.content?.text}`;
    return inputRequired({ inputRequests: { capital_question: sample('What is the capital of France?', 100) } });
  });
  tool('test_missing_capability', async ({ inputResponses }) => {
    if (inputResponses?.answer) return 'sampled';
    return inputRequired({ inputRequests: { answer: sample('Reply with the single word: pong', 16) } });
  });
  tool('test_input_required_result_list_roots', async ({ inputResponses }) => {
    const roots = inputResponses?.client_roots?.roots;
    if (!Array.isArray(roots)) return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    return `Client exposed ${roots.length} root(s): ${roots.map((root) => root.uri).join(', ')}`;
  });
  tool('test_input_required_result_request_state', async (mcpReq) => {
    if (acceptedContent(mcpReq.inputResponses, 'confirm') === undefined) {
      return inputRequired({ inputRequests: { confirm: confirm() }, requestState: await states.mint({ of: 'state' }) });
    }
    if (mcpReq.requestState() === undefined) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'requestState is missing');
    }
    return 'state-ok: requestState verified and confirmation received';
  });
  tool('test_input_required_result_tampered_state', async (mcpReq) => {
    const isConfirmed = acceptedContent(mcpReq.inputResponses, 'confirm') !== undefined;
    // The SDK refuses a state whose signature is wrong before it comes here.
    if (isConfirmed && mcpReq.requestState() !== undefined) return 'integrity-ok: requestState verified';
    return inputRequired({ inputRequests: { confirm: confirm() }, requestState: await states.mint({ of: 'tampered' }) });
  });
  tool('test_input_required_result_multiple_inputs', async ({ inputResponses }) => {
    const name = acceptedContent(inputResponses, 'user_name')?.name;
    const greeting = inputResponses?.greeting?.content?.text;
    const roots = inputResponses?.client_roots?.roots;
    if (name && greeting && roots) return `${greeting} ${name}: ${roots.length} root(s)`;
    const inputRequests = {
      user_name: askName(),
      greeting: sample('Generate a greeting', 50),
      client_roots: inputRequired.listRoots(),
    };
    return inputRequired({ inputRequests, requestState: await states.mint({ of: 'multiple' }) });
  });
  tool('test_input_required_result_multi_round', async (mcpReq) => {
    const { round = 0, name } = mcpReq.requestState() ?? {};
    if (round === 0) {
      const requestState = await states.mint({ round: 1 });
      return inputRequired({ inputRequests: { step1: askName() }, requestState });
    }
    if (round === 1) {
      const given = acceptedContent(mcpReq.inputResponses, 'step1')?.name;
      const requestedSchema = form('color', 'string');
      const step2 = inputRequired.elicit({ message: 'What is your favorite color?', requestedSchema });
      return inputRequired({ inputRequests: { step2 }, requestState: await states.mint({ round: 2, name: given }) });
    }
    return `${name} likes ${acceptedContent(mcpReq.inputResponses, 'step2')?.color}`;
  });
  tool('test_input_required_result_capabilities', async ({ envelope, inputResponses }) => {
    if (inputResponses !== undefined) return 'answered';
    const can = envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
    const inputRequests = {
      ...(can.elicitation && { user_name: askName() }),
      ...(can.sampling && { greeting: sample('Generate a short greeting', 50) }),
      ...(can.roots && { client_roots: inputRequired.listRoots() }),
    };
    return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : 'no input is possible';
  });
  server.registerPrompt(
    'test_input_required_result_prompt',
    { title: 'a prompt that asks', description: 'A prompt that needs input' },
    async ({ mcpReq }) => {
      const context = acceptedContent(mcpReq.inputResponses, 'user_context')?.context;
      if (typeof context !== 'string') {
        const requestedSchema = form('context', 'string');
        const message = 'What context should the prompt use?';
        return inputRequired({ inputRequests: { user_context: inputRequired.elicit({ message, requestedSchema }) } });
      }
      return { messages: [{ role: 'user', content: text(`Use the following context: ${context}`) }] };
    },
  );
}
