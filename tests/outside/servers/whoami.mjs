// A server on the official TypeScript SDK that tells clients of every revision its port. It runs in the
// directory of the conformance server, whose sessions it shares.

import { createServer } from 'node:http';

import { classifyInboundRequest, createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';

import { Sessions } from './sessions.mjs';

function build() {
  const server = new McpServer({ name: 'four', version: '1' }, { capabilities: {} });
  const content = [{ type: 'text', text: JSON.stringify({ node: process.env.PORT }) }];
  server.registerTool('whoami', { description: 'The port of this server' }, async () => ({ content }));
  return server;
}

const sessions = new Sessions(build);
const answerStateless = toNodeHandler(createMcpHandler(build));

createServer(async (request, response) => {
  if (request.method !== 'POST') return sessions.answer(request, response);
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = JSON.parse(Buffer.concat(parts).toString());
  const { kind } = classifyInboundRequest({
    httpMethod: request.method,
    protocolVersionHeader: request.headers['mcp-protocol-version'],
    mcpMethodHeader: request.headers['mcp-method'],
    body,
  });
  const answer = kind === 'legacy' ? sessions.answer.bind(sessions) : answerStateless;
  return answer(request, response, body);
}).listen(Number(process.env.PORT), '127.0.0.1');
