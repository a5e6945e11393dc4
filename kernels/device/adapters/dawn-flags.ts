/** What Dawn is told when it is created; `trusted` leaves out its checks of indices. */
export function dawnFlags(trusted: boolean): string[] {
  const unchecked = trusted ? ',disable_robustness' : ''
  return [
    `enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia${unchecked}`,
    // Timestamps are otherwise rounded to 65 µs, longer than most kernels take.
    'disable-dawn-features=timestamp_quantization',
  ]
}
