namespace Decant.Controller.Manifest;

/// <summary>What holds where the manifest says nothing, and what it may say: one place for both.</summary>
internal static class ManifestDefaults
{
    public const string Slot = "main";
    public const int Port = 4000;

    /// <summary>The same name for an instance however many slots the manifest gives its host: one that goes from one slot to two finds its members again.</summary>
    public const string Member = "{host}{-slot}";

    public static readonly WholeRule Rise = new(2, 1, 100);
    public static readonly WholeRule Fall = new(3, 1, 100);
    public static readonly WholeRule FailureBudget = new(0, 0, 10_000);
    public static readonly WholeRule KeepReleases = new(5, 2, 1_000);

    public static readonly DurationRule Interval = new(Seconds(1), Milliseconds(10), Hours(1));
    public static readonly DurationRule StartInterval = new(Milliseconds(100), Milliseconds(10), Hours(1));
    public static readonly DurationRule CheckTimeout = new(Seconds(2), Milliseconds(10), Hours(1));

    /// <summary>An <c>rpc</c> check boots a VM of its own for each question.</summary>
    public static readonly DurationRule RpcCheckTimeout = CheckTimeout with { Default = Seconds(5) };

    public static readonly DurationRule MigrationTimeout = new(Seconds(600), Seconds(1), Hours(168));
    public static readonly DurationRule MinHealthy = new(Seconds(5), TimeSpan.Zero, Hours(24));
    public static readonly DurationRule HealthyDeadline = new(Seconds(60), Milliseconds(100), Hours(24));
    public static readonly DurationRule DrainTimeout = new(Seconds(30), Milliseconds(1), Hours(24));
    public static readonly DurationRule StopTimeout = new(Seconds(30), Milliseconds(1), Hours(24));
    public static readonly DurationRule TermTimeout = new(Seconds(5), Milliseconds(1), Hours(24));
    public static readonly DurationRule UndrainTimeout = new(Seconds(30), Milliseconds(1), Hours(24));
    public static readonly DurationRule KeepOld = new(Seconds(600), TimeSpan.Zero, Hours(24 * 30));
    public static readonly DurationRule Bake = new(Seconds(300), Seconds(1), Hours(24 * 7));
    public static readonly DurationRule CloseAfter = new(TimeSpan.Zero, TimeSpan.Zero, Hours(24));
    public static readonly DurationRule Spread = new(Seconds(10), TimeSpan.Zero, Hours(24));
    public static readonly WholeRule CanaryHosts = new(1, 1, 10_000);

    public static readonly CanaryTolerance Tolerance = new(ErrorPoints: 1, Slowdown: 1.5);

    public static readonly HealthPolicy Health = new(
        new HealthProbe.Tcp(), Interval.Default, StartInterval.Default, CheckTimeout.Default, Rise.Default, Fall.Default);

    public static readonly DeploymentStrategy Strategy = new(
        StrategyKind.Rolling,
        new HostShare.Count(1),
        new HostShare.Count(0),
        MinHealthy.Default,
        HealthyDeadline.Default,
        DrainTimeout.Default,
        StopTimeout.Default,
        TermTimeout.Default,
        UndrainTimeout.Default,
        KeepOld.Default,
        FailureBudget.Default,
        AutoRollback: true);

    private static TimeSpan Milliseconds(int n) => TimeSpan.FromMilliseconds(n);

    private static TimeSpan Seconds(int n) => TimeSpan.FromSeconds(n);

    private static TimeSpan Hours(int n) => TimeSpan.FromHours(n);
}

/// <summary>A whole number's default and bounds, both included.</summary>
internal sealed record WholeRule(int Default, int Min, int Max);

/// <summary>A duration's default and bounds, both included.</summary>
internal sealed record DurationRule(TimeSpan Default, TimeSpan Min, TimeSpan Max);
