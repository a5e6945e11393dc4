// Runs that announce themselves on a server.
import { Kvm } from '@nats-io/kv'
import { isObject } from '../shared/json.ts'
import { type Announcement, bucket } from './names.ts'
import type { Server } from './nats.ts'

/** The announcements of all runs, the newest first. */
export async function announcements(server: Server): Promise<Announcement[]> {
  return server.again(async () => {
    const kv = await new Kvm(server.stream).create(bucket, { history: 1 })
    const found: Announcement[] = []
    for await (const key of await kv.keys()) {
      const announced: unknown = await kv.get(key).then(entry => (entry ? entry.json() : undefined))
      if (isAnnouncement(announced)) found.push(announced)
    }
    return found.sort((a, b) => b.started - a.started)
  })
}

/** What a run says now; undefined when the server has lost it. */
export async function announcementOf(server: Server, run: string): Promise<Announcement | undefined> {
  return server.again(async () => {
    const entry = await (await new Kvm(server.stream).create(bucket, { history: 1 })).get(run)
    const announced: unknown = entry?.json()
    return isAnnouncement(announced) ? announced : undefined
  })
}

function isAnnouncement(value: unknown): value is Announcement {
  return (
    isObject(value) &&
    ['run', 'epoch', 'version', 'graph', 'host', 'directory'].every(
      name => typeof value[name] === 'string',
    ) &&
    (value.status === 'running' || value.status === 'ended') &&
    ['started', 'seed', 'leaseSeconds'].every(name => typeof value[name] === 'number') &&
    ['set', 'parts', 'names', 'plugins'].every(name => isTexts(value[name])) &&
    [value.sources, value.models].every(table => isObject(table) && isTexts(Object.values(table)))
  )
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every(one => typeof one === 'string')
