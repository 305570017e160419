"""How a page looks: on paper, on a telephone, at night."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fdfdfc; --faint: #55606e;
  --line: #d8dce2; --shade: #f2f4f6; --accent: #20639b; --alarm: #b3261e; --alarm-shade: #fdeeec;
  --card: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --paper: #14181d; --faint: #a3aebb; --line: #343b45;
    --shade: #1d232a; --accent: #7fb8e6; --alarm: #ff8a80; --alarm-shade: #3a1d1b;
    /* Figures are drawn for a light ground, and keep it. */
    --card: #f4f5f6; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: .8rem; }
body { margin: 0 auto; max-width: 64rem; padding: 1.2rem 1rem 4rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, sans-serif; overflow-wrap: break-word; }
a { color: var(--accent); }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .6rem 0; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line); }
p, ul.answer, .warning { max-width: 48rem; }
nav { margin: 1.2rem 0; padding: .6rem .9rem; background: var(--shade); font-size: .92rem; }
nav ol { margin: .2rem 0; padding-left: 1.6rem; columns: 20rem 2; }
nav li { break-inside: avoid; padding: .1rem 0; }
nav ul { list-style: none; margin: 0; padding: 0; font-size: .84rem; }
nav ul li { display: inline; padding: 0 .5rem 0 0; }
nav ul a { text-decoration: none; white-space: nowrap; }
ul.answer, ul.warning { list-style: none; padding: 0; }
ul.answer li, ul.warning li { border-left: 4px solid var(--accent); background: var(--shade);
  margin: .5rem 0; padding: .5rem .9rem; }
ul.warning li { border-color: var(--alarm); background: var(--alarm-shade); }
ul.warning li::before { content: "Warning. "; font-weight: 700; color: var(--alarm); }
.reference { white-space: nowrap; font-size: .88em; }
.formula { font-family: "STIX Two Math", "Cambria Math", "DejaVu Serif", serif; font-size: 1.05rem;
  margin: .5rem 0 .5rem 1.2rem; text-indent: -.6rem; padding-left: .6rem; }
.table { margin: 1.2rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
.caption, figcaption { font-size: .88rem; color: var(--faint); max-width: 56rem;
  margin: .35rem 0; }
.caption b, figcaption b { color: var(--ink); }
.note { color: var(--faint); font-size: .88rem; }
th, td { padding: .22rem .6rem; text-align: right; white-space: nowrap; vertical-align: top; }
thead th { border-bottom: 1px solid var(--line); font-weight: 600; vertical-align: bottom;
  white-space: normal; }
th:first-child, td:first-child { text-align: left; }
tbody.group > tr:first-child th { text-align: left; border-top: 1px solid var(--line);
  padding: .5rem .6rem .15rem; white-space: normal; position: sticky; left: 0; }
td.word, th.word { text-align: left; }
td.long { white-space: normal; min-width: 15rem; max-width: 34rem; }
tbody tr:nth-child(even) td { background: var(--shade); }
figure { margin: 1.2rem 0; }
.panels { display: grid; gap: .3rem; background: var(--card); padding: .5rem; border-radius: 4px;
  justify-items: center;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, var(--least)), 1fr)); }
.panels svg { width: 100%; max-width: var(--most); height: auto; break-inside: avoid; }
.wide { grid-column: 1 / -1; max-width: 100%; overflow-x: auto; }
.panels.whole { display: block; overflow-x: auto; }
.panels.whole svg { min-width: var(--least); display: block; margin: auto; }
.panels svg * { stroke-linejoin: round; stroke-linecap: butt; }
pre { background: var(--shade); padding: .6rem .8rem; overflow-x: auto; font-size: .82rem; }
code { overflow-wrap: anywhere; }
sub, sup { line-height: 0; font-size: .8em; }
sub sub, sup sub { font-size: 1em; }
@media (max-width: 40rem) { td.word:not(.long) { white-space: normal; min-width: 6rem; } }
@media print {
  :root { --ink: #000; --paper: #fff; --faint: #333; --line: #999; --shade: #f4f4f4;
    --accent: #123c5f; --card: #fff; --alarm: #900; --alarm-shade: #fff; }
  @page { size: A4; margin: 16mm 14mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  a { text-decoration: none; }
  h1, h2, .caption, thead, tbody.group > tr:first-child { break-after: avoid; }
  /* A heading or a caption needs room below it, or it goes to the next sheet. */
  h2::after, .caption::after { content: ""; display: block; height: 7cm; margin-bottom: -7cm; }
  .caption::after { height: 2.4cm; margin-bottom: -2.4cm; }
  h2, p, li, tr, figcaption, nav, .keep { break-inside: avoid; }
  figcaption { break-before: avoid; }
  figure.small { break-inside: avoid; }
  thead { display: table-header-group; }
  .scroll, .panels.whole { overflow: visible; }
  .panels { grid-template-columns: repeat(auto-fit, minmax(min(100%, 8cm), 1fr)); }
  .panels svg { max-width: calc(.75 * var(--most)); }
  .panels.whole svg, .wide svg { min-width: 0 !important; }
  table { font-size: 8pt; width: 100%; }
  th, td { padding: .12rem .3rem; overflow-wrap: normal; }
  th, td.word { white-space: normal; }
  td.long { min-width: 0; max-width: none; }
  .caption, figcaption, .note { font-size: 8.5pt; }
  nav { background: none; border: 1px solid var(--line); }
  pre { white-space: pre-wrap; border: 1px solid var(--line); }
}
"""
