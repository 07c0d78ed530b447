using System.Diagnostics;

namespace Decant.Fuzzing.Engine;

/// <summary>
/// Gives a target one input after the other: those of its corpus, then mutations of whatever reached something new. Coverage-guided as AFL and
/// libFuzzer are, in this process, so that a test runner is all it takes.
/// </summary>
internal sealed class Fuzzer
{
    private const int LargestKept = 16 << 10;
    private const int MostOutcomes = 300;

    /// <summary>As the runtime gives threads of its pool: what recurses deeper than that ends the agent.</summary>
    private const int Stack = 1 << 20;

    /// <summary>So long without an end and without using the CPU: it waits for something.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(300);

    private readonly FuzzTarget target;
    private readonly IReadOnlyList<byte[]> corpus;
    private readonly TimeSpan budget;
    private readonly int mostFindings;
    private readonly Random random;
    private readonly Mutation mutation;
    private readonly RunningInput running;
    private readonly Coverage.Seen seen = new();
    private readonly List<byte[]> queue = [];
    private readonly HashSet<string> outcomes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Finding> findings = new(StringComparer.Ordinal);
    private Exception? broken;
    private long inputs;
    private TimeSpan slowest;
    private double greediest;
    private volatile byte[] current = [];

    private Fuzzer(FuzzTarget target, IReadOnlyList<byte[]> corpus, int seed, TimeSpan budget, RunningInput running, int mostFindings)
    {
        (this.target, this.corpus, this.budget, this.running, this.mostFindings) = (target, corpus, budget, running, mostFindings);
        random = new Random(seed);
        mutation = new Mutation(random, () => queue.Count == 0 ? [] : queue[random.Next(queue.Count)]);
    }

    /// <summary>Fuzzes a target.</summary>
    /// <param name="target">The target.</param>
    /// <param name="corpus">Inputs that are tried first, all of them.</param>
    /// <param name="seed">Of what chance does.</param>
    /// <param name="budget">For all, but for what is found: that is made small afterwards.</param>
    /// <param name="findings">The directory of findings, where the input that runs just now is kept.</param>
    /// <param name="mostFindings">Ends it.</param>
    public static FuzzReport Run(FuzzTarget target, IReadOnlyList<byte[]> corpus, int seed, TimeSpan budget, string findings, int mostFindings = 20)
    {
        using var running = new RunningInput(findings, target.Name);
        var fuzzer = new Fuzzer(target, corpus, seed, budget, running, mostFindings);
        var begun = Stopwatch.StartNew();
        var hung = fuzzer.WorkWatched();
        if (fuzzer.broken is { } broken) throw new InvalidOperationException($"{target.Name} cannot be fuzzed", broken);
        running.Ended();
        return new FuzzReport(target.Name, seed, fuzzer.inputs, begun.Elapsed, fuzzer.seen.Pairs, fuzzer.outcomes.Count, fuzzer.slowest, fuzzer.greediest)
        {
            Findings = hung is null ? [.. fuzzer.findings.Values] : [.. fuzzer.findings.Values, hung],
            Kept = [.. fuzzer.queue],
        };
    }

    /// <summary>The work in a thread of its own, which is left to itself when an input has no end.</summary>
    private Finding? WorkWatched()
    {
        var worker = new Thread(Work, Stack) { IsBackground = true, Name = $"fuzz {target.Name}" };
        worker.Start();
        var (watched, begun, cpu) = (current, Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        while (!worker.Join(100))
        {
            if (current != watched)
            {
                (watched, begun, cpu) = (current, Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
                continue;
            }

            var (used, passed) = (Environment.CpuUsage.TotalTime - cpu, Stopwatch.GetElapsedTime(begun));
            if (used > target.Deadline) return new Finding("deadline", $"has not ended after {used.TotalSeconds:0.0} s of CPU time; {target.Deadline.TotalSeconds:0.0} s are allowed", watched);
            if (passed > Patience) return new Finding("wait", $"has waited for {passed.TotalSeconds:0} s", watched);
        }

        return null;
    }

    private void Work()
    {
        try
        {
            target.Open();
            try
            {
                Loop();
                foreach (var finding in findings.Values.ToList()) findings[finding.Place] = new Minimiser(target, Try).Smaller(finding);
            }
            finally
            {
                target.Close();
            }
        }
        catch (Exception exception)
        {
            broken = exception;
        }
    }

    private void Loop()
    {
        var begun = Stopwatch.GetTimestamp();
        // The first of all makes what is made once.
        if (corpus.Count > 0) Try(corpus[0]);
        foreach (var input in corpus) Take(input, isSeed: true);
        if (queue.Count == 0) queue.Add([]);
        while (Stopwatch.GetElapsedTime(begun) < budget && findings.Count < mostFindings)
        {
            // The newest third is where something was found last.
            var parent = mutation.Once(2) ? queue[random.Next(queue.Count)] : queue[^(1 + random.Next((queue.Count + 2) / 3))];
            Take(target.Repair(target.Mutate(parent, mutation)), isSeed: false);
        }
    }

    private void Take(byte[] input, bool isSeed)
    {
        Coverage.Clear();
        var begun = Stopwatch.GetTimestamp();
        var (outcome, finding) = Try(input);
        var passed = Stopwatch.GetElapsedTime(begun);
        if (passed > slowest) slowest = passed;
        var news = Coverage.AddTo(seen);
        if (outcomes.Count < MostOutcomes && outcomes.Add(Words(outcome))) news++;
        if (finding is not null && findings.TryAdd(finding.Place, finding)) return;
        if (isSeed || (finding is null && news > 0 && input.Length <= LargestKept)) queue.Add(input);
    }

    /// <summary>Its first words: what is from the input itself, mostly further on and no letters, makes no other outcome.</summary>
    private static string Words(string outcome) => string.Concat(outcome.Where(c => char.IsAsciiLetter(c) || c == ' ').Take(32));

    private (string Outcome, Finding? Finding) Try(byte[] input)
    {
        inputs++;
        running.Begin(input);
        current = input;
        var (outcome, finding, allocated) = Measure(input);
        var allowed = target.MayAllocate(input.Length);
        // The runtime itself allocates now and then: only what does so again counts.
        if (allocated > allowed) (outcome, finding, allocated) = Measure(input);
        greediest = Math.Max(greediest, (double)allocated / allowed);
        if (finding is null && allocated > allowed) finding = new Finding("memory", $"allocates {allocated} bytes for an input of {input.Length}; {allowed} are allowed", input);
        return (outcome, finding);
    }

    private (string Outcome, Finding? Finding, long Allocated) Measure(byte[] input)
    {
        var before = GC.GetTotalAllocatedBytes();
        try
        {
            var outcome = target.Run(input);
            return (outcome, null, GC.GetTotalAllocatedBytes() - before);
        }
        catch (Exception exception)
        {
            var allocated = GC.GetTotalAllocatedBytes() - before;
            var finding = Finding.Of(exception, input);
            return (finding.Place, finding, allocated);
        }
    }
}
