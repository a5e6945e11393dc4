// Runs that announce themselves on a server.
import { type KV, type KvEntry, Kvm } from '@nats-io/kv'
import { isObject } from '../shared/json.ts'
import { type Announcement, bucket } from './names.ts'
import type { Server } from './nats.ts'

/** What a run says of itself, and when it said it. */
export interface Announced {
  readonly announcement: Announcement
  /** Another number each time that the run announces itself. */
  readonly revision: number
  /** Milliseconds since then, as the clocks of the server and of this machine tell: they may differ. */
  readonly ageMs: number
}

/** Two announcements are this far apart, in milliseconds. */
export const announceMs = 2000

/** The bucket of announcements; it is made where it is missing. */
export const openBucket = ({ stream }: Server): Promise<KV> => new Kvm(stream).create(bucket, { history: 1 })

/** The announcements of all runs, the newest first. */
export async function announcements(server: Server): Promise<Announced[]> {
  return server.again(async () => {
    const kv = await openBucket(server)
    const found: Announced[] = []
    for await (const key of await kv.keys()) {
      const announced = announcedBy(await kv.get(key))
      if (announced) found.push(announced)
    }
    return found.sort((a, b) => b.announcement.started - a.announcement.started)
  })
}

/** What a run says now; undefined when the server has lost it. */
export async function announcementOf(server: Server, run: string): Promise<Announced | undefined> {
  return server.again(async () => announcedBy(await (await openBucket(server)).get(run)))
}

function announcedBy(entry: KvEntry | null): Announced | undefined {
  const announcement: unknown = entry?.json()
  if (!entry || !isAnnouncement(announcement)) return undefined
  return { announcement, revision: entry.revision, ageMs: Date.now() - entry.created.getTime() }
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
