// One tooltip for everything with data-tip, on hover and focus. It repeats the element's label, so screen readers skip it.

import { h } from './dom.js'

const margin = 8

export function startTips() {
  const tip = h('div', { class: 'tip', 'aria-hidden': 'true', hidden: true })
  document.body.append(tip)
  const show = event => {
    const target = event.target.closest?.('[data-tip]')
    if (!target) return hide()
    tip.textContent = target.dataset.tip
    tip.hidden = false
    const box = target.getBoundingClientRect(), own = tip.getBoundingClientRect()
    const left = Math.max(margin, Math.min(box.left + box.width / 2 - own.width / 2, innerWidth - own.width - margin))
    const above = box.top - own.height - margin
    tip.style.left = `${left}px`
    tip.style.top = `${above > margin ? above : box.bottom + margin}px`
  }
  const hide = () => { tip.hidden = true }
  document.addEventListener('pointerover', show)
  document.addEventListener('focusin', show)
  document.addEventListener('focusout', hide)
  document.addEventListener('scroll', hide, { passive: true, capture: true })
  document.addEventListener('keydown', event => { if (event.key === 'Escape') hide() })
}
