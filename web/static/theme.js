// Sets the theme before the first paint, so that a dark page does not flash white. It is no module: modules run later.
try {
  const theme = localStorage.getItem('edgelens.theme')
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme
} catch {
  // Without storage the system's theme counts.
}
