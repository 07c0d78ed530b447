// Most of a test's time goes by in boots, drains and thresholds of health, so three of them share two cores well. Each has its own ports,
// directories and processes.
[assembly: Parallelizable(ParallelScope.Fixtures)]
[assembly: LevelOfParallelism(3)]
