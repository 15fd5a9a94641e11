// Sessions of revisions before 2026-07-28: each has a server and a transport of its own, and lives in
// this process only.

import { randomUUID } from 'node:crypto';

import { isInitializeRequest } from '@modelcontextprotocol/server';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';

import { changes } from './changes.mjs';

/** After a stream has ended, a client comes back this much later, in milliseconds. */
const RETRY_INTERVAL = 500;

export class Sessions {
  #build;
  #transports = new Map();

  constructor(build) {
    this.#build = build;
  }

  async answer(request, response, body) {
    const id = request.headers['mcp-session-id'];
    if (id === undefined && body !== undefined && isInitializeRequest(body)) {
      const transport = await this.#begin();
      return transport.handleRequest(request, response, body);
    }
    const transport = this.#transports.get(id);
    if (transport) return transport.handleRequest(request, response, body);
    const [status, message] = id === undefined ? [400, 'no session id'] : [404, 'session not found'];
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32001, message } }));
  }

  async #begin() {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new Events(),
      retryInterval: RETRY_INTERVAL,
      onsessioninitialized: (id) => this.#transports.set(id, transport),
    });
    const server = this.#build((requestId) => transport.closeSSEStream(requestId));
    const toolsChanged = () => server.sendToolListChanged();
    const promptsChanged = () => server.sendPromptListChanged();
    changes.on('tools', toolsChanged).on('prompts', promptsChanged);
    transport.onclose = () => {
      this.#transports.delete(transport.sessionId);
      changes.off('tools', toolsChanged).off('prompts', promptsChanged);
    };
    await server.connect(transport);
    return transport;
  }
}

/** The events of one session, in order, so that a client can ask for those that it has missed. */
class Events {
  #events = [];

  async storeEvent(streamId, message) {
    const eventId = `${streamId}/${this.#events.length}`;
    this.#events.push({ eventId, streamId, message });
    return eventId;
  }

  async replayEventsAfter(lastEventId, { send }) {
    const last = this.#events.findIndex((event) => event.eventId === lastEventId);
    const streamId = lastEventId.slice(0, lastEventId.lastIndexOf('/'));
    for (const event of this.#events.slice(last + 1)) {
      // An event without content only tells the client where the stream begins.
      const isEmpty = Object.keys(event.message ?? {}).length === 0;
      if (event.streamId === streamId && !isEmpty) await send(event.eventId, event.message);
    }
    return streamId;
  }
}
