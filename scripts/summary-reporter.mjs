// Ends a test run with one line that says how many tests passed, failed and were skipped, after the reasons of the skips.

/** The reason stands in the test's note (`context.skip(reason)`) or in the name of the test or suite: `... (needs X: how)`. */
function reasonOf(test) {
  const note = test.result()?.note;
  if (note) return note;
  for (let at = test; at && 'name' in at; at = at.parent) {
    if (at.name.startsWith('skipped: ')) return at.name.slice('skipped: '.length);
    const found = /\((needs? [^()]*(?:\([^()]*\)[^()]*)*)\)$/.exec(at.name);
    if (found) return found[1];
  }
  return test.module.relativeModuleId ?? test.module.moduleId;
}

export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    const reasons = new Map();
    for (const module of modules) {
      if (module.errors().length > 0) count.failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed' || state === 'failed') count[state]++;
        else {
          count.skipped++;
          const reason = reasonOf(test);
          reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        }
      }
    }
    for (const [reason, tests] of reasons) process.stdout.write(`skipped ${tests}: ${reason}\n`);
    if (count.skipped > 0 && process.env.FIRN_REQUIRE_ALL) {
      process.stdout.write('here a skipped test is a failure\n');
      process.exitCode = 1;
    }
    process.stdout.write(`${count.passed} passed, ${count.failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}\n`);
  }
}
