import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { lockFolder } from '../../../engine/shared/folder-lock.ts'

const nobody = () => {}

t.test('a folder is held until its lock is released', async t => {
  const folder = t.testdir()
  const lock = lockFolder(folder, 'lock', nobody)
  t.throws(() => lockFolder(folder, 'lock', nobody), {
    code: 'folder-in-use',
    message: new RegExp(`must be worked on by one process, found process ${process.pid} on ${hostname()}`),
  })
  lock.release()
  t.notOk(existsSync(join(folder, 'lock')))
  lockFolder(folder, 'lock', nobody).release()
})

t.test('two names in one folder are two locks', async t => {
  const folder = t.testdir()
  const locks = ['one', 'two'].map(name => lockFolder(folder, name, nobody))
  for (const lock of locks) lock.release()
  t.notOk(existsSync(join(folder, 'one')))
})

t.test('the lock of a process that was killed is taken over', async t => {
  const folder = t.testdir()
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  const path = join(folder, 'lock')
  const lock = lockFolder(folder, 'lock', nobody)
  const own = JSON.parse(readFileSync(path, 'utf8'))
  lock.release()
  writeFileSync(path, JSON.stringify({ ...own, pid: child.pid, processStart: 'before', token: 'other' }))
  lockFolder(folder, 'lock', nobody).release()
  t.pass('a process that started at another time has the number of the holder by chance')

  child.kill('SIGKILL')
  await new Promise(done => child.once('exit', done))
  writeFileSync(path, JSON.stringify({ ...own, pid: child.pid, token: 'other' }))
  const taken = lockFolder(folder, 'lock', nobody)
  t.not(JSON.parse(readFileSync(path, 'utf8')).token, 'other')
  taken.release()
})

t.test('a holder on another machine is gone when its lock was not touched for a minute', async t => {
  const folder = t.testdir()
  const path = join(folder, 'lock')
  const elsewhere = {
    host: 'elsewhere',
    pid: 1,
    system: 'another',
    processStart: '1',
    since: 'today',
    token: 'x',
  }
  writeFileSync(path, JSON.stringify(elsewhere))
  t.throws(() => lockFolder(folder, 'lock', nobody), {
    code: 'folder-in-use',
    message: /process 1 on elsewhere/,
  })
  const longAgo = Date.now() / 1000 - 120
  utimesSync(path, longAgo, longAgo)
  lockFolder(folder, 'lock', nobody).release()
})

t.test('a lock that a stopped writer left empty counts as held for a minute', async t => {
  const folder = t.testdir({ lock: '' })
  const path = join(folder, 'lock')
  t.throws(() => lockFolder(folder, 'lock', nobody), {
    code: 'folder-in-use',
    message: /found another process/,
  })
  const longAgo = Date.now() / 1000 - 120
  utimesSync(path, longAgo, longAgo)
  lockFolder(folder, 'lock', nobody).release()
})

t.test(
  'a holder hears once that its lock was removed, and leaves the lock of the next one alone',
  async t => {
    const folder = t.testdir()
    const heard: Error[] = []
    const lock = lockFolder(folder, 'lock', error => heard.push(error))
    lock.check()
    t.equal(heard.length, 0, 'a lock in place is kept')
    rmSync(join(folder, 'lock'))
    const next = lockFolder(folder, 'lock', nobody)
    lock.check()
    t.match(heard, [{ code: 'folder-lost' }])
    lock.release()
    t.ok(existsSync(join(folder, 'lock')))
    next.release()
  },
)
