"""What an estimate is worth, as pure functions that never touch the disk.

==================== ==================================================================================
`wwc`                effect sizes, baseline categories and attrition limits of the What Works Clearinghouse
`baseline`           how alike the treated districts and each comparison group were before the program
`essa`               the evidence tier of federal law, each condition ticked or "not met because ..."
`comparison_finder`  ranks candidate comparison sets before any outcome is known, and records the choice
`plan`               the plan of record, frozen by hash, and every deviation of a run from it
`power`              which effects the design can detect, before its estimate
`cost`               days gained and dollars an extra day, refused where the interval includes zero
`assess`             all of these for one district or for all together
`privacy`            suppression of small cells (student track)
==================== ==================================================================================

Everything printed from here is a self-assessment against published thresholds, never a rating by the agency itself.
"""
