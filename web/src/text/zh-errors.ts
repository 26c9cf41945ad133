// 错误与服务器说明的中文。服务器用英文说明；这里按错误代码、类别和句式翻译，日志保留原文。

/** 由原文取出其中的数字或名称。 */
type Said = string | ((message: string) => string)

const first = (message: string, pattern: RegExp): string => pattern.exec(message)?.[1] ?? ''

const byCode: Record<string, Said> = {
  // 文件本身
  not_media: '这不是可以读取的音频或视频文件。',
  empty_file: '文件是空的，请确认它已完整复制或上传。',
  no_audio: '这个文件里没有音轨。',
  no_samples: '音轨是空的或已损坏，无法解码。',
  truncated: '文件不完整：录制或复制中断，索引缺失。',
  too_long: '录音超过了允许的时长。',
  media_too_large: '解码后的音频超过了允许的大小。',
  too_large: '文件超过了服务器允许的大小。',
  no_such_audio_track: (m) => `没有第 ${first(m, /track (\d+)/) || '?'} 条音轨。`,
  unsupported_codec: '不支持这个文件的音频编码，或文件头已损坏。',
  unsupported_audio: '不支持这个文件的声道数或采样率。',
  unsupported_language: '已安装的模型不支持所选语言。',
  unknown_engine: '没有安装所选的识别器。',
  no_diarizer: '这里没有安装区分说话人的组件。',
  step_unknown: '此服务器不支持其中一个步骤。',
  file_changed: '文件在读取时被修改了。',
  source_missing: '服务器上已没有原始文件。',
  // 获取
  bad_url: '网址无法使用。',
  web_page: '这是网页的地址，不是录音文件的地址。',
  no_media_found: '在该网页上没有找到可以转写的内容。',
  download_refused: (m) => `对方服务器拒绝了请求（${first(m, /answered (\d+)/) || '?'}）。`,
  too_many_redirects: '该网址重定向的次数过多。',
  address_refused: '该网址指向内部网络，服务器不会连接。',
  server_busy: (m) => `对方服务器暂时不可用（${first(m, /answered (\d+)/) || '?'}）。`,
  timed_out: '对方服务器没有及时响应。',
  connect_failed: '无法连接对方服务器。',
  name_not_resolved: '找不到该网址的服务器。',
  cut_short: '下载中断，只收到一部分。',
  download_lost: '已下载的部分不见了，将重新下载。',
  start_over: '下载需要从头开始。',
  // 内存
  out_of_memory: '内存不足。',
  memory_limit: '超过了允许的内存，已被终止。',
  killed_by_system: '机器内存不足，识别进程被系统终止。',
  // 模型
  model_missing: '没有安装所选的模型。',
  model_broken: '模型无法加载，请重新安装。',
  engine_missing: '此服务器不含所选的识别器。',
  recognition_failed: '识别器未能识别其中一段。',
  // 进程
  worker_killed: '识别进程被外部终止。',
  worker_died: '识别进程崩溃了。',
  worker_gone: '识别进程意外结束。',
  protocol_error: '识别进程给出了无法理解的数据，已被终止。',
  no_progress: '长时间没有进展，已被终止。',
  worker_not_reading: '识别进程没有响应，已被终止。',
  deadline: '超过了允许的时间。',
  returned: '服务器停止时交还了这一部分。',
  server_restarted: '服务器重新启动了。',
  lease_expired: '这次尝试已失效，由另一次接替。',
  // 存储
  disk_full: '磁盘已满。',
  disk_error: '磁盘无法写入。',
  unreadable: '磁盘无法读出所存的数据。',
  blob_missing: '服务器上已没有该文件。',
  audio_missing: '解码后的音频已不在服务器上，请重新转写。',
}

const byClass: Record<string, string> = {
  input: '这个文件无法转写。',
  network: '获取时网络出错。',
  memory: '内存不足。',
  model: '模型出错。',
  crash: '识别器崩溃了。',
  stall: '识别器没有进展，已被终止。',
  timeout: '超过了允许的时间。',
  storage: '磁盘空间不足或出错。',
  lost: '这次尝试中断了，会自动重新进行。',
  request: '请求无法执行。',
  internal: '服务器内部出错，日志中有更多信息。',
}

export function errorInChinese(error: { class: string; code: string; message: string }): string {
  const said = byCode[error.code] ?? byClass[error.class] ?? '出错了，日志中有更多信息。'
  return typeof said === 'string' ? said : said(error.message)
}

// 对请求的答复。
const answers: Record<string, Said> = {
  not_found: '它已不存在。',
  no_route: '服务器没有这项功能。',
  bad_value: (m) => {
    const field = first(m, /^"?([a-z_]+)"? (?:is|must|has)/)
    return field ? `“${field}”的值不正确。` : '有一项的值不正确。'
  },
  body_too_large: '内容超过了服务器允许的大小。',
  no_file: '没有选择文件。',
  token_required: '需要登录。',
  invalid_token: '访问令牌无效或已过期。',
  insufficient_scope: '没有执行此操作的权限。',
  bad_csrf_token: '登录状态已变化，请刷新页面。',
  foreign_origin: '不接受来自其他网站的请求。',
  foreign_host: '服务器不接受这个主机名。',
  task_running: '任务正在进行，请先停止。',
  task_ended: '任务已经结束。',
  task_cancelled: '任务已取消。',
  not_retryable: '没有可以重试的部分。',
  transcript_not_final: '转写结束后才能修改。',
  no_transcript: '还没有文字稿。',
  precondition_failed: '刚刚在别处被修改。请查看后重试。',
  precondition_required: '服务器要求先读取再修改。请刷新页面。',
  idempotency_key_reused: '请求重复，请再试一次。',
  segments_overlap: '时间与相邻的段落重叠。',
  bad_split: '不能在这里拆分。',
  nothing_to_merge: '后面没有可以合并的段落。',
  token_name_taken: '已有同名的令牌。',
  too_many_tokens: '令牌数量已达上限。',
  too_many_webhooks: 'Webhook 数量已达上限。',
  too_many_uploads: '同时进行的上传过多，请稍后继续。',
  too_many_jobs: '任务数量已达上限，请等待一些完成。',
  storage_quota: '已达到存储上限，请先删除一些录音。',
  rate_limited: '请求过于频繁，请稍后再试。',
  upload_locked: '同一文件正在上传。',
  upload_offset: '上传位置不一致，请继续以重新对齐。',
  upload_taken_over: '上传已由另一个窗口接替。',
  upload_not_finished: '上传尚未完成。',
  checksum_mismatch: '收到的内容有误，请重新上传。',
  source_not_ready: '文件还没有下载完。',
  in_doubt: '保存时磁盘出错，结果未知。请查看后再试。',
  busy: '服务器忙，请稍后再试。',
  draining: '服务器正在停止，请稍后再试。',
}

function byStatus(status: number): string {
  if (status === 401) return '需要登录。'
  if (status === 403) return '没有执行此操作的权限。'
  if (status === 404 || status === 410) return '它已不存在。'
  if (status === 409 || status === 412) return '与当前状态冲突，请查看后重试。'
  if (status === 413) return '内容超过了服务器允许的大小。'
  if (status === 429) return '请求过于频繁，请稍后再试。'
  if (status === 503) return '服务器忙或正在停止，请稍后再试。'
  if (status === 507) return '磁盘已满。'
  return status >= 500 ? `服务器出错（${status}）。` : `请求无法执行（${status}）。`
}

export function problemInChinese(status: number, code: string, detail: string): string {
  const said = answers[code] ?? byCode[code]
  if (said === undefined) return byStatus(status)
  return typeof said === 'string' ? said : said(detail)
}

// 服务器写下的整句说明：[原文句式, 译文]。
const sentences: [RegExp, (...parts: string[]) => string][] = [
  [/^(\S+) is the only model installed for it\.$/, (model) => `只安装了 ${model}。`],
  [/^(\S+) needs the least memory; none fits what is free\.$/, (model) => `空闲内存不足，${model} 所需最少。`],
  [/^(\S+) is the most accurate of (\d+) that fits the memory and takes about (\d+) s for this recording \((-?\d+) dB above its noise\)\.$/, (model, of, s, db) => `内存允许的 ${of} 个模型中 ${model} 最准确，约需 ${s} 秒（语音高于噪声 ${db} dB）。`],
  [/^(\S+) is the fastest; every other would take more than (\d+) s\.$/, (model, s) => `${model} 最快，其余都需要 ${s} 秒以上。`],
  [/^(\d+) damaged parts? of the audio could not be decoded and (?:was|were) skipped\.$/, (n) => `有 ${n} 处音频损坏，已跳过。`],
  [/^The timestamps in the file jump; .*$/, () => '文件中的时间戳有跳跃，其后的时间可能与录音不符。'],
  [/^The file ends early: (\S+) of (\S+) could be read\. .*$/, (read, all) => `文件提前结束：${all} 中只读到 ${read}，可能被截断。`],
  [/^The file ends early, after (\S+)\. .*$/, (at) => `文件在 ${at} 处提前结束，可能被截断。`],
  [/^(\S+) leads to .*$/s, (host) => `${host} 指向内部网络，服务器不会连接。`],
  [/^(\S+) could not be connected to\.$/, (host) => `无法连接 ${host}。`],
  [/^(\S+) did not answer in time\.$/, (host) => `${host} 没有及时响应。`],
  [/^(\S+) could not be trusted \(.*\)\.$/s, (host) => `${host} 的证书不可信。`],
  [/^The connection to (\S+) ended early \(.*\)\.$/s, (host) => `与 ${host} 的连接提前中断。`],
  [/^The name (\S+) has no address \(.*\)\.$/s, (host) => `找不到 ${host} 的地址。`],
  [/^Paused by request\.$/, () => '已按要求暂停。'],
  [/^The receiver answered 410 Gone\. .*$/, () => '接收方答复 410，地址已停用。有新的接收方后请恢复。'],
  [/^None of the last (\d+) attempts succeeded; .*$/s, (n) => `最近 ${n} 次发送均未成功。等待发送的内容已保留；请修复接收方后恢复。`],
  [/^(\d+) deliveries waited, .* replay from event (\d+)\.$/s, (n, seq) => `已有 ${n} 条等待，达到上限。请修复接收方，恢复后从事件 ${seq} 重新发送。`],
]

/** 服务器的一句说明；不认识的句子原样给出。 */
export function sentenceInChinese(sentence: string): string {
  for (const [pattern, inChinese] of sentences) {
    const found = pattern.exec(sentence)
    if (found) return inChinese(...found.slice(1))
  }
  return sentence
}

// "memory: control group v1 + watchdog; CPU: …": 各部分以词为单位。
const limits: [string, string][] = [
  ['no Landlock', '无 Landlock'],
  ['no seccomp', '无 seccomp'],
  ['no limit', '无限制'],
  ['number of threads', '线程数'],
  ['control group', '控制组'],
  ['media worker', '媒体进程'],
  ['watchdog', '看门狗'],
  ['memory', '内存'],
  ['; ', '；'],
  [': ', '：'],
]

export const sandboxInChinese = (said: string): string => limits.reduce((text, [english, chinese]) => text.replaceAll(english, chinese), said)
