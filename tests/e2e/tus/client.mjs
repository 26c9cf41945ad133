// Uploads a file with tus-js-client as an application would, with what happens to applications: it
// is paused on the way and goes on, and then the server is killed in the middle of a piece.
//
//     node client.mjs ENDPOINT FILE SERVER_PID
//
// Prints the ids of what was made, "media task", and on standard error what happened.
import fs from 'node:fs';
import * as tus from 'tus-js-client';

const [endpoint, file, serverPid] = process.argv.slice(2);
const size = fs.statSync(file).size;
const happened = [];
let made = '';

function tell(word) {
    if (!happened.includes(word)) {
        happened.push(word);
        console.error(word);
        return true;
    }
    return false;
}

const upload = new tus.Upload(fs.createReadStream(file), {
    endpoint,
    uploadSize: size,
    chunkSize: 8 * 1024 * 1024,
    // Long enough for a server that is started again.
    retryDelays: Array(120).fill(500),
    metadata: { filename: 'talk.wav', filetype: 'audio/wav', title: 'Sent in pieces', language: 'en' },
    onChunkComplete: async (_, accepted) => {
        if (accepted > size / 4 && tell('paused')) {
            await upload.abort();
            upload.start();
        }
    },
    onProgress: (sent) => {
        // Some of a piece is on its way, and no piece ends here.
        if (sent > size * 0.6 && happened.includes('paused') && tell('killed')) {
            process.kill(Number(serverPid), 'SIGKILL');
        }
    },
    onAfterResponse: (request, response) => {
        if (happened.includes('killed') && request.getMethod() === 'HEAD') {
            tell(`resumed at ${response.getHeader('Upload-Offset')}`);
        }
        const media = response.getHeader('X-Durascribe-Media-Id');
        if (media) {
            made = `${media} ${response.getHeader('X-Durascribe-Task-Id')}`;
        }
    },
    onError: (error) => {
        console.error(error);
        process.exit(1);
    },
    onSuccess: () => {
        console.log(made);
        process.exit(happened.length >= 3 ? 0 : 2);
    },
});
upload.start();
