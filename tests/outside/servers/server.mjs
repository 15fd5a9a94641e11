// A server on the official TypeScript SDK.

import { createServer } from 'node:http';

import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';

const build = () => new McpServer({ name: 'three', version: '1' }, { capabilities: {} });
const answer = toNodeHandler(createMcpHandler(build));
createServer((request, response) => answer(request, response)).listen(Number(process.env.PORT), '127.0.0.1');
