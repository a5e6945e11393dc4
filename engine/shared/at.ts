/** The element at an index that the caller knows to be in the list; any other index is a fault of the program. */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const element = list[index]
  if (element === undefined) throw new RangeError(`index ${index} must be in a list of ${list.length}`)
  return element
}
