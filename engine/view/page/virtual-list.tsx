import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

interface ListOptions<T> {
  items: readonly T[]
  rowHeight: number
  /** Index of the item that is kept in view. */
  chosen: number
  row: (item: T, index: number) => ComponentChildren
}

/** A list of rows of one height of which only those in view exist: it scrolls as smoothly with 100,000 as with 10. */
export function VirtualList<T>({ items, rowHeight, chosen, row }: ListOptions<T>) {
  const box = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(600)
  useEffect(() => {
    const element = box.current
    if (!element) return
    const watch = new ResizeObserver(() => setHeight(element.clientHeight))
    watch.observe(element)
    return () => watch.disconnect()
  }, [])
  useEffect(() => {
    const element = box.current
    if (!element || chosen < 0) return
    const place = chosen * rowHeight
    if (place < element.scrollTop) element.scrollTop = place
    else if (place + rowHeight > element.scrollTop + element.clientHeight)
      element.scrollTop = place + rowHeight - element.clientHeight
  }, [chosen, rowHeight])
  const first = Math.max(0, Math.floor(top / rowHeight) - 3)
  const last = Math.min(items.length, Math.ceil((top + height) / rowHeight) + 3)
  return (
    <div class="list" ref={box} onScroll={event => setTop(event.currentTarget.scrollTop)}>
      <div style={{ height: `${items.length * rowHeight}px` }}>
        <div style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {items.slice(first, last).map((item, i) => row(item, first + i))}
        </div>
      </div>
    </div>
  )
}
