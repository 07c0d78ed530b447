using System.Diagnostics;
using System.Globalization;
using Decant.Agent.Operations;
using Decant.Agent.State;

namespace Decant.Agent.Tests.State;

/// <summary>kill -9 of a process that writes to its journal all the time, at any moment of its writes.</summary>
[Parallelizable(ParallelScope.Self)]
internal sealed class KilledWriterTests
{
    /// <summary>Kills in a run; DECANT_TEST_LONG=1: a thousand, DECANT_TEST_KILLS: as many. DECANT_TEST_SEED begins with the same choices.</summary>
    private static readonly int Kills = int.TryParse(Environment.GetEnvironmentVariable("DECANT_TEST_KILLS"), CultureInfo.InvariantCulture, out var kills) ? kills
        : Environment.GetEnvironmentVariable("DECANT_TEST_LONG") == "1" ? 1000
        : 20;

    [Test]
    [CancelAfter(1_800_000)]
    public async Task What_was_acknowledged_is_there_whenever_the_writer_is_killed(CancellationToken cancellation)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("DECANT_TEST_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        var random = new Random(seed);
        using var directory = new TemporaryDirectory();
        var (next, acknowledged, torn) = (0, 0, 0);
        for (var kill = 1; kill <= Kills; kill++)
        {
            var first = next;
            var said = await WriteUntilKilledAsync(directory["agent.db"], first, random, cancellation);
            if (new FileInfo(directory["agent-log.db"]) is { Exists: true, Length: > 0 }) torn++;

            using var database = AgentDatabase.Open(directory["agent.db"]);
            Assert.That(database.Fault, Is.Null, $"seed {seed}, kill {kill}");
            var journal = new OperationJournal(database, JournalWriter.Keep);
            // What was pruned meanwhile was told so by its number.
            for (var number = Math.Max(first, said - JournalWriter.Keep + 1); number <= said; number++)
            {
                var found = journal.Find(JournalWriter.Record(number).Id);
                Assert.That(found?.Record, Is.EqualTo(JournalWriter.Record(number)), $"seed {seed}, kill {kill}: operation {number} of {said} was acknowledged");
            }

            acknowledged += said - first + 1;
            // The one that was under way may be there, or not.
            next = said + 2;
        }

        await TestContext.Out.WriteLineAsync($"{Kills} kills, {acknowledged} operations acknowledged, none lost; {torn} kills left a log behind; seed {seed}");
    }

    private static async Task<int> WriteUntilKilledAsync(string path, int first, Random random, CancellationToken cancellation)
    {
        using var writer = Process.Start(new ProcessStartInfo(Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? Environment.ProcessPath : "dotnet", [typeof(JournalWriter).Assembly.Location, path, $"{first}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var said = first - 1;
            for (var until = first + random.Next(1, 12); said < until;)
            {
                var line = await writer.StandardOutput.ReadLineAsync(cancellation)
                    ?? throw new InvalidOperationException($"the writer ended by itself: {await writer.StandardError.ReadToEndAsync(cancellation)}");
                said = int.Parse(line, CultureInfo.InvariantCulture);
            }

            // A write takes a few milliseconds: anywhere within one.
            var moment = Stopwatch.GetTimestamp() + (long)(random.NextDouble() * 0.006 * Stopwatch.Frequency);
            while (Stopwatch.GetTimestamp() < moment) Thread.SpinWait(20);
            writer.Kill();
            while (await writer.StandardOutput.ReadLineAsync(cancellation) is { } line)
            {
                if (int.TryParse(line, CultureInfo.InvariantCulture, out var number)) said = number;
            }

            return said;
        }
        finally
        {
            writer.Kill();
            await writer.WaitForExitAsync(CancellationToken.None);
        }
    }
}
