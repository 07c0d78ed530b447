using Decant.Agent.Operations;

namespace Decant.Agent.Health;

/// <summary>
/// Health by its thresholds, as a value: <c>rise</c> consecutive successes make an instance healthy, <c>fall</c> consecutive failures make it
/// unhealthy. It begins unhealthy.
/// </summary>
/// <param name="Rise">At least 1.</param>
/// <param name="Fall">At least 1.</param>
/// <param name="Seen">What was seen so far.</param>
internal readonly record struct HealthThresholds(int Rise, int Fall, HealthSeen Seen)
{
    /// <summary>Nothing was seen yet.</summary>
    public static HealthThresholds Of(HealthCheck check) => new(check.Rise, check.Fall, new HealthSeen(0, 0, IsHealthy: false, ""));

    /// <summary>One more check.</summary>
    /// <param name="failure">Null when it succeeded.</param>
    public HealthThresholds After(string? failure)
    {
        if (failure is null)
        {
            var successes = Seen.Successes + 1;
            return this with { Seen = new HealthSeen(successes, 0, Seen.IsHealthy || successes >= Rise, "") };
        }

        var failures = Seen.Failures + 1;
        return this with { Seen = new HealthSeen(0, failures, Seen.IsHealthy && failures < Fall, failure) };
    }
}
