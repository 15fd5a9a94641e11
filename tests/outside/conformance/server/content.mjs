// Fixtures with constant content: tools, resources and prompts of every kind.

import { fromJsonSchema, ResourceTemplate } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';

/** One red pixel. */
const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** One sample of silence. */
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

export const text = (text) => ({ type: 'text', text });
const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const audio = { type: 'audio', data: WAV, mimeType: 'audio/wav' };
const resource = (uri, mimeType, text) => ({ type: 'resource', resource: { uri, mimeType, text } });

export function addContent(server) {
  addTools(server);
  addResources(server);
  addPrompts(server);
}

function addTools(server) {
  const contents = {
    test_simple_text: [text('This is a simple text response for testing.')],
    test_image_content: [image],
    test_audio_content: [audio],
    test_embedded_resource: [
      resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
    ],
    test_multiple_content_types: [
      text('Multiple content types test:'),
      image,
      resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
    test_streaming_elicitation: [text('no requests of the server')],
  };
  for (const [name, content] of Object.entries(contents)) {
    server.registerTool(name, { description: `Answers with the content of ${name}` }, async () => ({ content }));
  }
  server.registerTool('test_error_handling', { description: 'Fails' }, async () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  const schema = fromJsonSchema(JSON_SCHEMA);
  server.registerTool('json_schema_2020_12_tool', { description: 'Has a schema of many kinds', inputSchema: schema }, async (args) => ({
    content: [text(JSON.stringify(args))],
  }));
  const mirrored = fromJsonSchema({
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, level: { type: 'integer' } },
  });
  server.registerTool('test_x_mcp_header', { description: 'Has an argument that is a header, too', inputSchema: mirrored }, async (args) => ({
    content: [text(`region=${args.region ?? 'none'}`)],
  }));
}

function addResources(server) {
  const contents = {
    'static-text': { mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
    'static-binary': { mimeType: 'image/png', blob: PNG },
    'watched-resource': { mimeType: 'text/plain', text: 'Watched resource content' },
  };
  for (const [name, content] of Object.entries(contents)) {
    const uri = `test://${name}`;
    const about = { title: name, description: `The resource ${name}`, mimeType: content.mimeType };
    server.registerResource(name, uri, about, async () => ({ contents: [{ uri, ...content }] }));
  }
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  const about = { title: 'template', description: 'A resource for each id', mimeType: 'application/json' };
  server.registerResource('template', template, about, async (uri, { id }) => ({
    contents: [
      {
        uri: uri.toString(),
        mimeType: 'application/json',
        text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
      },
    ],
  }));
  server.server.setRequestHandler('resources/subscribe', async () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', async () => ({}));
}

function addPrompts(server) {
  const user = (content) => ({ role: 'user', content });
  const about = (name) => ({ title: name, description: `The prompt ${name}` });
  server.registerPrompt('test_simple_prompt', about('test_simple_prompt'), async () => ({
    messages: [user(text('This is a simple prompt for testing.'))],
  }));
  server.registerPrompt('test_prompt_with_image', about('test_prompt_with_image'), async () => ({
    messages: [user(image), user(text('Please analyze the image above.'))],
  }));
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      ...about('test_prompt_with_arguments'),
      argsSchema: z.object({
        arg1: z.string().describe('First test argument'),
        arg2: z.string().describe('Second test argument'),
      }),
    },
    async ({ arg1, arg2 }) => ({
      messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
    }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    {
      ...about('test_prompt_with_embedded_resource'),
      argsSchema: z.object({ resourceUri: z.string().describe('URI of the resource to embed') }),
    },
    async ({ resourceUri }) => ({
      messages: [
        user(resource(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
        user(text('Please process the embedded resource above.')),
      ],
    }),
  );
}

/** Words of JSON Schema 2020-12 that must reach clients unchanged. */
const JSON_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};
