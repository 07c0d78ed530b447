using System.Globalization;
using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Names;

namespace Decant.Controller.Tests.Simulation;

/// <summary>Manifests of every strategy, by every cutover, behind balancers of every arrangement.</summary>
internal static class RandomManifest
{
    /// <summary>Any.</summary>
    public static DeploymentManifest Of(Random random)
    {
        var hosts = random.Next(1, 6);
        var isSwitch = random.Next(2) == 0;
        var kind = (isSwitch ? random.Next(4) : random.Next(3)) switch
        {
            0 => StrategyKind.Rolling,
            1 => StrategyKind.Canary,
            2 => StrategyKind.Recreate,
            _ => StrategyKind.BlueGreen,
        };
        var environment = new Dictionary<string, string>();
        IReadOnlyList<SlotSettings> slots = isSwitch
            ? [new SlotSettings(SlotName.Parse("blue"), 4001, "", environment, true), new SlotSettings(SlotName.Parse("green"), 4002, "", environment, true)]
            : [new SlotSettings(SlotName.Parse("main"), 4000, "", environment, true)];
        var names = Enumerable.Range(1, hosts).Select(i => HostName.Parse(string.Create(CultureInfo.InvariantCulture, $"web{i}"))).ToList();
        return new DeploymentManifest(
            AppName.Parse("shop"),
            [.. names.Select(n => new ManifestHost(n, AgentAddress.Parse($"unix:/{n}"), "127.0.0.1", slots))],
            Balancers(random, isSwitch),
            new HealthPolicy(new HealthProbe.Tcp(), Seconds(1), Seconds(1), Seconds(1), 2, 3),
            random.Next(4) == 0 ? null : new MigrationPolicy("Shop.Release.migrate()", names[random.Next(hosts)], Seconds(60)),
            new DeploymentStrategy(
                kind,
                random.Next(3) == 0 ? new HostShare.Percent(random.Next(1, 101)) : new HostShare.Count(random.Next(1, hosts + 1)),
                new HostShare.Count(kind == StrategyKind.Recreate ? 0 : random.Next(0, isSwitch ? hosts + 1 : hosts)),
                MinHealthy: Seconds(1),
                HealthyDeadline: Seconds(8),
                DrainTimeout: Seconds(5),
                StopTimeout: Seconds(2),
                TermTimeout: Seconds(2),
                UndrainTimeout: Seconds(5),
                KeepOld: Seconds(random.Next(2) == 0 ? 20 : 600),
                FailureBudget: random.Next(3) == 0 ? 1 : 0,
                AutoRollback: random.Next(4) > 0,
                kind == StrategyKind.Canary ? Canary(random, hosts) : null),
            5);
    }

    /// <summary>In a few words.</summary>
    public static string Describe(DeploymentManifest manifest)
        => $"{manifest.Strategy.Kind}, {manifest.Hosts.Count} hosts with {manifest.Hosts[0].Slots.Count} slots, batch {manifest.Strategy.Batch}, min_in_rotation {manifest.Strategy.MinInRotation}, "
            + $"budget {manifest.Strategy.FailureBudget}, auto_rollback {manifest.Strategy.AutoRollback}, {manifest.Strategy.Canary}, "
            + $"balancers {string.Join(", ", manifest.Balancers.Select(b => $"{b.Key}{(b.Agent is null ? " on each host" : "")}"))}, migration {manifest.Migrations?.Host}";

    private static List<ManifestBalancer> Balancers(Random random, bool isSwitch)
    {
        ManifestBalancer Of(string name, bool isOnEachHost) => new(
            HostName.Parse(name),
            isOnEachHost ? null : AgentAddress.Parse($"unix:/{name}"),
            BalancerName.Parse("haproxy"),
            MemberName.Parse("shop"),
            isSwitch ? "{host}-{slot}" : "{host}");
        return random.Next(8) switch
        {
            0 => [],
            1 or 2 => [Of("local", isOnEachHost: true)],
            3 or 4 => [Of("edge1", isOnEachHost: false)],
            5 => [Of("edge1", isOnEachHost: false), Of("local", isOnEachHost: true)],
            _ => [Of("edge1", isOnEachHost: false), Of("edge2", isOnEachHost: false)],
        };
    }

    private static CanaryPolicy Canary(Random random, int hosts) => new(
        new HostShare.Count(random.Next(1, hosts + 1)),
        random.Next(2) == 0 ? 100 : 10,
        Seconds(3),
        random.Next(2) == 0 ? Promotion.Auto : Promotion.Manual,
        new CanaryTolerance(ErrorPoints: 1, Slowdown: 1.5));

    private static TimeSpan Seconds(int seconds) => TimeSpan.FromSeconds(seconds);
}
