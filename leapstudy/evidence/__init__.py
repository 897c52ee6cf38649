"""What an estimate is worth, as pure functions that never touch the disk.

==================== ==============================================================================================
`wwc`                effect sizes, baseline categories and attrition limits of the What Works Clearinghouse
`essa`               the evidence tier of federal law, each condition ticked or "not met because ..."
`comparison_finder`  how alike the groups were before the program; ranks candidate sets before any outcome is known
`plan`               the plan of record, frozen by hash, and every deviation of a run from it
`power`              which effects the design can detect, before its estimate, and what money can show
`cost`               days gained and dollars an extra day, refused where the interval includes zero
`assess`             all of these for one district or for all together
`privacy`            suppression of small cells (student track)
==================== ==============================================================================================

Everything printed from here is a self-assessment against published thresholds, never a rating by the agency itself.
"""
