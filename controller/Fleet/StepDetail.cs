using System.Globalization;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Controller.Fleet;

/// <summary>What a step's result says to people, in a few words.</summary>
internal static class StepDetail
{
    /// <summary>The words; may be empty.</summary>
    public static string Of(OperationResult? result) => result?.ResultCase switch
    {
        OperationResult.ResultOneofCase.Stage => result.Unchanged ? "staged already" : $"{result.Stage.Entries} files, {result.Stage.UnpackedBytes / 1e6:0.#} MB",
        OperationResult.ResultOneofCase.Start => $"pid {result.Start.Pid}",
        OperationResult.ResultOneofCase.Stop => Of(result.Stop),
        OperationResult.ResultOneofCase.Migrate => result.Migrate.AlreadyDone ? "was run before" : $"after {Seconds(result.Migrate.Elapsed)}",
        OperationResult.ResultOneofCase.Preflight => $"{result.Preflight.Findings.Count} checks",
        OperationResult.ResultOneofCase.AwaitHealthy => $"healthy after {Seconds(result.AwaitHealthy.HealthyAfter)}",
        OperationResult.ResultOneofCase.Drain => result.Drain.SessionsLeft == 0
            ? $"no sessions after {Seconds(result.Drain.Elapsed)}"
            : $"{result.Drain.SessionsLeft} sessions left after {Seconds(result.Drain.Elapsed)}",
        OperationResult.ResultOneofCase.Undrain => $"{result.Undrain.Status} after {Seconds(result.Undrain.Elapsed)}",
        OperationResult.ResultOneofCase.Prune => result.Prune.Removed.Count == 0
            ? "nothing to remove"
            : $"removed {string.Join(", ", result.Prune.Removed.Select(r => r.Version))}",
        _ => result is { Unchanged: true } ? "nothing to do" : "",
    };

    private static string Of(StopResult stop) => stop.Means switch
    {
        StopMeans.NotRunning => "was not running",
        StopMeans.Sigterm => $"stopped by SIGTERM after {Seconds(stop.Elapsed)}",
        StopMeans.Sigkill => $"killed after {Seconds(stop.Elapsed)}",
        _ => $"stopped by script after {Seconds(stop.Elapsed)}",
    };

    private static string Seconds(Duration? elapsed)
        => string.Create(CultureInfo.InvariantCulture, $"{(elapsed?.ToTimeSpan() ?? TimeSpan.Zero).TotalSeconds:0.0} s");
}
