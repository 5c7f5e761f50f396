// The page's state is in the address, as its query (/?view=history&label=cat): links, the back button and the way
// through the login keep it.

let show = () => {}

// state returns the parameters of the present address.
export const state = () => Object.fromEntries(new URLSearchParams(location.search))

// link returns the address of a state; empty values are left out.
export function link(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== '')
  return given.length ? `/?${new URLSearchParams(given)}` : '/'
}

// go shows a state, as a step of the browser's history unless it replaces the present one.
export function go(parameters, { replacing = false } = {}) {
  const address = link(parameters)
  if (address === location.pathname + location.search) return
  if (replacing) history.replaceState(null, '', address)
  else history.pushState(null, '', address)
  show(state(), replacing)
}

// route calls show(state, isSameStep) now and for each change of the address.
export function route(listener) {
  show = listener
  window.addEventListener('popstate', () => show(state(), false))
  document.addEventListener('click', event => {
    const anchor = event.target.closest?.('a[href]')
    if (!anchor || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
    if (anchor.target || anchor.hasAttribute('download') || anchor.origin !== location.origin || anchor.pathname !== '/') return
    event.preventDefault()
    go(Object.fromEntries(new URLSearchParams(anchor.search)))
  })
  show(state(), false)
}
