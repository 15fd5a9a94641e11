// The tools, resources and prompts that the conformance suite expects of a server.

import { McpServer } from '@modelcontextprotocol/server';

import { addContent } from './content.mjs';
import { addInteraction } from './interaction.mjs';
import { addRounds, states } from './rounds.mjs';

/**
 * A server for one session, or for one request of a revision without sessions. `endStream` ends the
 * event stream of a request before its answer, where a client can come back for that.
 */
export function build(endStream) {
  const listChanged = true;
  const server = new McpServer(
    { name: 'conformance', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged },
        resources: { subscribe: true, listChanged },
        prompts: { listChanged },
        logging: {},
        completions: {},
      },
      requestState: { verify: states.verify },
    },
  );
  addContent(server);
  addInteraction(server, endStream);
  addRounds(server);
  server.server.setRequestHandler('completion/complete', async () => ({
    completion: { values: ['paris', 'park', 'party'], total: 3, hasMore: false },
  }));
  server.server.setRequestHandler('logging/setLevel', async () => ({}));
  return server;
}
