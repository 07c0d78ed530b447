namespace Decant.Controller.Manifest;

/// <summary>How an instance is found healthy.</summary>
/// <param name="Check">What is asked.</param>
/// <param name="Interval">Between two checks of a healthy instance.</param>
/// <param name="StartInterval">Between two checks until it is healthy for the first time.</param>
/// <param name="Timeout">Deadline of one check.</param>
/// <param name="Rise">Consecutive successes that make it healthy, at least 1.</param>
/// <param name="Fall">Consecutive failures that make it unhealthy, at least 1.</param>
public sealed record HealthPolicy(HealthProbe Check, TimeSpan Interval, TimeSpan StartInterval, TimeSpan Timeout, int Rise, int Fall);
