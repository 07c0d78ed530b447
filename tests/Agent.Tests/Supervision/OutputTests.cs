using System.Globalization;
using Decant.Agent.Tests.Balancers;
using Decant.EndToEnd.Harness;

namespace Decant.Agent.Tests.Supervision;

/// <summary>What a real release prints: captured, and never in its way.</summary>
[Parallelizable(ParallelScope.Self)]
public class OutputTests
{
    [Test]
    [CancelAfter(120_000)]
    public async Task A_full_disk_never_blocks_the_release_and_the_lines_that_it_cost_are_counted(CancellationToken cancellation)
    {
        Assume.That(Environment.IsPrivilegedProcess, "only root can mount a small disk");
        await using var host = await AgentHost.CreateAsync();
        var log = host.Directories.Log(AgentHost.Key("main"));
        var mounted = await CommandResult.RunAsync("mount", ["-t", "tmpfs", "-o", "size=256k,mode=0700", "decant-test", log], cancellation);
        Assume.That(mounted.ExitCode, Is.Zero, mounted.Everything);
        try
        {
            var slot = await host.StartAsync("main", host.Spec("demo-main@127.0.0.1"), host.One, cancellation);
            await host.AwaitHealthyAsync(slot, host.One, cancellation);
            var filler = Path.Combine(log, "filler");
            await FillAsync(filler, cancellation);

            // Twenty times what a pipe holds: a keeper that stopped reading would stop the release here.
            await PrintAsync(host, "for n <- 1..20_000, do: IO.puts(:user, \"a line of sixty characters, to and fro, number #{n} of it\")", cancellation);
            await host.AwaitHealthyAsync(slot, host.One, cancellation);
            File.Delete(filler);
            await PrintAsync(host, "IO.puts(:user, \"there is room again\")", cancellation);

            await Eventually.TrueAsync(() => slot.LastLines(5).Contains("there is room again"), "lines after there is room");
            var lines = slot.LastLines(100_000);
            var written = lines.Count(l => l.StartsWith("a line of sixty", StringComparison.Ordinal));
            var dropped = lines.Where(l => l.StartsWith("[decant: ", StringComparison.Ordinal)).ToList();
            Assert.Multiple(() =>
            {
                Assert.That(written, Is.LessThan(10_000), "the disk was full");
                Assert.That(dropped, Is.Not.Empty.And.All.Matches(@"^\[decant: \d+ lines were dropped, the disk was full\]$"));
                Assert.That(written + dropped.Sum(l => int.Parse(l.Split(' ')[1], CultureInfo.InvariantCulture)), Is.EqualTo(20_000));
            });
        }
        finally
        {
            // Lazy: the keeper has a file open there until it is killed.
            await CommandResult.RunAsync("umount", ["-l", log], CancellationToken.None);
        }
    }

    private static async Task FillAsync(string path, CancellationToken cancellation)
    {
        try
        {
            await File.WriteAllBytesAsync(path, new byte[1 << 20], cancellation);
        }
        catch (IOException)
        {
            // Full, as was wanted.
        }
    }

    private static async Task PrintAsync(AgentHost host, string expression, CancellationToken cancellation)
    {
        var spec = host.Instances.Get(AgentHost.Key("main")).Snapshot().Record.Spec;
        var end = await host.Script.RpcAsync(AgentHost.Target("main", spec, host.One), expression, TimeSpan.FromSeconds(60), null, cancellation);
        Assert.That(end.ExitCode, Is.Zero, end.TailText(5));
    }
}
