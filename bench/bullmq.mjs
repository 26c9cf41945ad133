// What a job queue of the field does on this machine: whole life cycles of jobs that do nothing, BullMQ on
// Redis, every write synced (appendfsync always).
//
//   node bench/bullmq.mjs <module folder with bullmq> <redis port> [callers=64] [seconds=3] [runs=5]
//
// As in store_bench --one-unit: 64 callers, each of whom adds a job and waits until a worker in the same
// process has completed it.
import { createRequire } from "node:module";
import path from "node:path";

const [folder, port, callers = "64", seconds = "3", runs = "5"] = process.argv.slice(2);
const { Queue, Worker } = createRequire(path.resolve(folder, "bench.cjs"))("bullmq");
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };

const queue = new Queue("lives", { connection });
await queue.obliterate({ force: true });
let done = 0;
const waiting = new Map();
const worker = new Worker("lives", async () => {}, { connection, concurrency: Number(callers) });
worker.on("completed", (job) => {
    ++done;
    waiting.get(job.name)?.();
});
await worker.waitUntilReady();

async function caller(name, until) {
    while (performance.now() < until) {
        const completed = new Promise((resolve) => waiting.set(name, resolve));
        await queue.add(name, {});
        await completed;
    }
}

const rates = [];
for (let run = 1; run <= Number(runs); ++run) {
    done = 0;
    const begun = performance.now();
    const until = begun + Number(seconds) * 1000;
    await Promise.all(Array.from({ length: Number(callers) }, (_, i) => caller(`caller-${i}`, until)));
    rates.push(done / ((performance.now() - begun) / 1000));
    console.log(`run ${run}: ${rates.at(-1).toFixed(0)} lives/s`);
}
rates.sort((a, b) => a - b);
console.log(`${callers} callers, median of ${runs}: ${rates[Math.floor(rates.length / 2)].toFixed(0)} lives a second`);
await worker.close();
await queue.close();
