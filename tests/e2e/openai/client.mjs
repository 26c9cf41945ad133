// What OpenAI's own client for Node.js gets from the server.
// usage: node client.mjs <url of the server> <directory of the samples> <file for the streamed text>
import assert from 'node:assert/strict';
import * as buffer from 'node:buffer';
import fs from 'node:fs';
import OpenAI, { toFile } from 'openai';

globalThis.File ??= buffer.File; // Node.js 18 has it, but not as a global

const [url, samples, streamedText] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
const sample = (name) => fs.createReadStream(`${samples}/${name}`);
const transcribe = (name, options, request) =>
  client.audio.transcriptions.create({ file: sample(name), model: 'whisper-1', ...options }, request);
const tasks = async () => (await (await fetch(`${url}/api/v1/tasks`)).json()).items;

async function models() {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  for (const id of ['whisper-1', 'gpt-4o-transcribe', 'auto']) assert(ids.includes(id), ids.join());
  assert(ids.length > 4, `no installed model among ${ids.join()}`);
  assert.equal((await client.models.retrieve(ids[0])).id, ids[0]);
  return ids[0];
}

async function formats(installed) {
  const { data, response } = await transcribe('short.wav', {}).withResponse();
  assert(data.text.length > 5, data.text);
  assert.equal(data.usage.type, 'duration');
  const task = response.headers.get('x-durascribe-task-id');
  assert.match(task, /^[0-9a-f-]{36}$/);
  assert.equal(data._request_id, task);

  assert.equal(await transcribe('short.wav', { response_format: 'text' }), `${data.text}\n`);
  assert.match(await transcribe('short.wav', { response_format: 'srt' }), /^1\n00:00:0\d,\d{3} --> /);
  assert.match(await transcribe('short.wav', { response_format: 'vtt' }), /^WEBVTT\n/);
  const verbose = await transcribe('short.wav', {
    response_format: 'verbose_json',
    timestamp_granularities: ['word', 'segment'],
    language: 'en',
    prompt: 'A sentence.',
    temperature: 0,
  });
  assert.equal(verbose.text, data.text);
  assert.equal(verbose.language, 'english');
  assert(Math.abs(verbose.duration - 3) < 1.5, `${verbose.duration} s`);
  assert(verbose.words.length > 1);
  for (const word of verbose.words) assert(word.start < word.end && word.end <= verbose.duration + 0.1);
  for (const key of ['id', 'seek', 'start', 'end', 'text', 'tokens', 'temperature', 'avg_logprob',
    'compression_ratio', 'no_speech_prob']) {
    assert(key in verbose.segments[0], key);
  }
  const logprobs = await transcribe('short.wav', { include: ['logprobs'], chunking_strategy: 'auto' });
  assert(logprobs.logprobs.length > 1 && logprobs.logprobs[0].logprob <= 0);
  assert.equal((await tasks()).length, 1, 'every format was given by one job');
  assert.equal((await transcribe('short.wav', { model: installed })).text, data.text);
}

async function errors() {
  const refused = async (kind, param, code, call) =>
    assert.rejects(call, (e) => {
      assert(e instanceof kind, `${e}`);
      assert.equal(e.param, param);
      assert.equal(e.code, code);
      return true;
    });
  await refused(OpenAI.NotFoundError, 'model', 'model_not_found', () =>
    transcribe('short.wav', { model: 'whisper-9' }));
  await refused(OpenAI.NotFoundError, 'model', 'model_not_found', () =>
    client.models.retrieve('whisper-9'));
  await refused(OpenAI.BadRequestError, 'response_format', 'invalid_value', () =>
    transcribe('short.wav', { response_format: 'xml' }));
  await refused(OpenAI.BadRequestError, 'model', 'translation_not_supported', () =>
    client.audio.translations.create({ file: sample('short.wav'), model: 'whisper-1' }));
  await assert.rejects(
    async () => client.audio.transcriptions.create({
      file: await toFile(Buffer.from('this is no recording'), 'a.mp3'), model: 'whisper-1',
    }),
    (e) => e instanceof OpenAI.BadRequestError && e.param === 'file');
}

// The connection is dropped while the job runs; the same request finds it.
async function dropped() {
  const before = (await tasks()).length;
  const leaving = new AbortController();
  const first = transcribe('talk.ogg', {}, { signal: leaving.signal });
  const gone = assert.rejects(first, OpenAI.APIUserAbortError);
  while ((await tasks()).length === before) await new Promise(setImmediate);
  const task = (await tasks())[0].task_id;
  leaving.abort();
  await gone;
  const { data, response } = await transcribe('talk.ogg', {}).withResponse();
  assert.equal(response.headers.get('x-durascribe-task-id'), task);
  assert.equal((await tasks()).length, before + 1);
  return data.text;
}

async function streamed() {
  let text = '';
  let done;
  let deltas = 0;
  // A key of its own: a job of its own, so that it runs while it is streamed.
  const stream = await transcribe('talk.ogg', { stream: true, model: 'gpt-4o-transcribe' },
    { headers: { 'Idempotency-Key': 'streamed' } });
  for await (const event of stream) {
    assert(!done, 'done is the last event');
    if (event.type === 'transcript.text.delta') {
      text += event.delta;
      ++deltas;
    } else {
      assert.equal(event.type, 'transcript.text.done');
      done = event;
    }
  }
  assert(deltas > 1, `${deltas} deltas`);
  assert.equal(done.text, text);
  fs.writeFileSync(streamedText, text);
  return text;
}

await formats(await models());
await errors();
assert.equal(await dropped(), await streamed());
