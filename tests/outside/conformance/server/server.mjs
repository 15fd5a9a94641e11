// An MCP server with the fixtures of the official conformance suite, over Streamable HTTP, for every
// revision of the protocol. It listens on 127.0.0.1, on the port that PORT names, as most servers do.

import { createServer } from 'node:http';

import { classifyInboundRequest, createMcpHandler } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';

import { changes } from './changes.mjs';
import { build } from './fixtures.mjs';
import { Sessions } from './sessions.mjs';

const port = Number(process.env.PORT);
if (!Number.isInteger(port) || port <= 0) {
  console.error('error: PORT is not set');
  process.exit(1);
}

const MAX_BODY_BYTES = 4 << 20;
const LOCAL_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

const sessions = new Sessions(build);
// Requests of 2026-07-28 and later stand alone.
const stateless = createMcpHandler(() => build());
const answerStateless = toNodeHandler(stateless);
changes.on('tools', () => stateless.notify.toolsChanged());
changes.on('prompts', () => stateless.notify.promptsChanged());

createServer(async (request, response) => {
  try {
    await answer(request, response);
  } catch (error) {
    console.error(error);
    refuse(response, 500, -32603, 'internal error');
  }
}).listen(port, '127.0.0.1', () => console.log(`listening on ${port}`));

async function answer(request, response) {
  const path = new URL(request.url, 'http://localhost').pathname;
  if (path !== '/mcp') return refuse(response, 404, -32600, 'not found');
  // Against DNS rebinding: a browser sends the name of its own site.
  for (const header of ['host', 'origin']) {
    if (!isLocal(request.headers[header])) return refuse(response, 403, -32600, `foreign ${header}`);
  }
  if (request.method !== 'POST') return sessions.answer(request, response);
  const body = await read(request);
  if (body === undefined) return refuse(response, 400, -32700, 'not JSON');
  const { kind } = classifyInboundRequest({
    httpMethod: request.method,
    protocolVersionHeader: request.headers['mcp-protocol-version'],
    mcpMethodHeader: request.headers['mcp-method'],
    body,
  });
  if (kind === 'legacy') return sessions.answer(request, response, body);
  return answerStateless(request, response, body);
}

function isLocal(address) {
  if (address === undefined) return true;
  try {
    const url = address.includes('://') ? address : `http://${address}`;
    return LOCAL_NAMES.has(new URL(url).hostname);
  } catch {
    return false;
  }
}

async function read(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    return undefined;
  }
}

function refuse(response, status, code, message) {
  if (response.headersSent) return response.end();
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code, message } }));
}
