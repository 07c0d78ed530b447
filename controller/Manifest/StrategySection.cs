using System.Globalization;

namespace Decant.Controller.Manifest;

/// <summary>Reads waves and their deadlines.</summary>
internal static class StrategySection
{
    private const string BatchExample = "write a number of hosts (batch: 1) or a share of them (batch: 25%)";
    private const int MaxBatch = 10_000;

    /// <summary>The part <c>strategy</c>; rolling, one host after the other, where it says nothing.</summary>
    public static RollingStrategy Read(ManifestSection? section)
    {
        if (section is null) return ManifestDefaults.Strategy;
        if (section.Text("type") is { } type && type != "rolling")
            section.Refuse("type", $"is \"{ManifestPath.Shown(type)}\"", "this version knows rolling");

        return new RollingStrategy(
            Batch(section),
            section.Duration("min_healthy", ManifestDefaults.MinHealthy),
            section.Duration("healthy_deadline", ManifestDefaults.HealthyDeadline),
            section.Duration("drain_timeout", ManifestDefaults.DrainTimeout),
            section.Duration("stop_timeout", ManifestDefaults.StopTimeout),
            section.Duration("term_timeout", ManifestDefaults.TermTimeout),
            section.Duration("undrain_timeout", ManifestDefaults.UndrainTimeout),
            section.Whole("failure_budget", ManifestDefaults.FailureBudget),
            section.Flag("auto_rollback", ManifestDefaults.Strategy.AutoRollback));
    }

    private static BatchSize Batch(ManifestSection section)
    {
        if (section.Scalar("batch") is not { Text: var text }) return ManifestDefaults.Strategy.Batch;
        var isShare = text.EndsWith('%');
        if (!int.TryParse(isShare ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            section.Refuse("batch", $"is \"{ManifestPath.Shown(text)}\"", BatchExample);
        else if (isShare && number is < 1 or > 100)
            section.Refuse("batch", $"is {text}", "a share is from 1% to 100%");
        else if (!isShare && number is < 1 or > MaxBatch)
            section.Refuse("batch", $"is {text}", $"a wave has at least one host and at most {MaxBatch}");
        else
            return isShare ? new BatchSize.Percent(number) : new BatchSize.Count(number);
        return ManifestDefaults.Strategy.Batch;
    }
}
