/**
 * Names with a meaning of their own in JavaScript: an object that gets them as keys may change all objects, or looks as if
 * it had keys that nobody gave it.
 */
export const isReserved = (name: string): boolean => reserved.has(name)

const reserved: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
