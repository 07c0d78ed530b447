using Decant.EndToEnd.Harness;

namespace Decant.EndToEnd;

/// <summary>Deployment after deployment, under load: nothing is lost, and nothing grows beyond what is meant to be kept.</summary>
public class SoakTests
{
    // More than are kept, so that each has to be staged anew, and pruning takes one away each time.
    private const int Versions = 5;
    private const int Kept = 2;

    private static int Deployments => Environment.GetEnvironmentVariable("DECANT_TEST_LONG") == "1" ? 200 : 20;

    [Test]
    [CancelAfter(3_600_000)]
    public async Task Deployments_back_to_back_under_load_fail_no_request_and_leave_nothing_behind_that_grows(CancellationToken cancellation)
    {
        await using var fleet = await TestFleet.StartAsync(1, cancellation, twoSlots: true);
        fleet.WriteManifest("keep_old: 0s\nmin_healthy: 100ms");
        await File.AppendAllTextAsync(fleet.Manifest, $"\nreleases: {{ keep: {Kept} }}\n", cancellation);
        var archives = new List<string>();
        for (var n = 0; n < Versions; n++) archives.Add(await DemoRelease.BuildAsync($"1.{n}.0", fleet.Directory, cancellation));
        await DeployAsync(0);

        var taken = new List<Footprint>();
        var report = await fleet.UnderLoadAsync(
            async _ =>
            {
                for (var n = 1; n <= Deployments; n++)
                {
                    await DeployAsync(n);
                    taken.Add(await SettledAsync());
                    if (n % (Deployments / 10) == 0) await TestContext.Progress.WriteLineAsync($"{n,4}: {taken[^1]}");
                }
            },
            cancellation);
        await TestContext.Out.WriteLineAsync($"{Deployments} deployments\n{string.Join('\n', taken.Select((t, n) => $"{n + 1,4}: {t}"))}\n{report}");

        // The first half warms up: caches, the JIT or the allocator's arenas, as many releases as are kept.
        var (early, late) = (taken[..(taken.Count / 2)], taken[(taken.Count / 2)..]);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(report.Failed, Is.Zero, $"{report}");
            Assert.That(late.Max(t => t.Descriptors), Is.LessThanOrEqualTo(early.Max(t => t.Descriptors) + 4), "descriptors");
            Assert.That(late.Max(t => t.Processes), Is.LessThanOrEqualTo(early.Max(t => t.Processes)), "processes");
            Assert.That(taken.Max(t => t.Releases), Is.LessThanOrEqualTo(Kept + 1), "releases: those kept, and the last good one");
            Assert.That(late.Max(t => t.OtherFiles), Is.LessThanOrEqualTo(early.Max(t => t.OtherFiles)), "files that are no release's");
            Assert.That(Median(late, t => t.Memory), Is.LessThanOrEqualTo((Median(early, t => t.Memory) * 5 / 4) + (8 << 20)), "resident memory");
            // What an operation and a deployment leave in the journals, which have bounds of their own (journal.keep_operations; 500 deployments).
            Assert.That(late[^1].Disk - early[^1].Disk, Is.LessThanOrEqualTo((1 << 20) + (late.Count * (64L << 10))), "disk of the hosts");
            Assert.That(late[^1].Journal - early[^1].Journal, Is.LessThanOrEqualTo((256 << 10) + (late.Count * (64L << 10))), "the controller's journal");
        }

        async Task DeployAsync(int n)
        {
            var result = await fleet.DecantAsync(cancellation, "deploy", archives[n % Versions]);
            Assert.That(result.ExitCode, Is.Zero, $"deployment {n}\n{result.Everything}\n{fleet.AgentLogs()}");
        }

        // The old instance is told to stop by the last step of a deployment, and does so after it.
        async Task<Footprint> SettledAsync()
        {
            await Eventually.TrueAsync(async () => (await fleet.DecantAsync(cancellation, "status", "--check")).ExitCode == 0, "all is as it should be", cancellation);
            return Footprint.Of(fleet);
        }
    }

    private static long Median(List<Footprint> of, Func<Footprint, long> what) => of.Select(what).Order().ElementAt(of.Count / 2);
}
