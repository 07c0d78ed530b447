using Decant.Agent.Operations;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Decant.Agent.Hosting;

/// <summary>
/// Whether the agent can do its work: the runner answers, and the journal can be written and read. What the gRPC health service says; also
/// writes the ends of operations that could not be journaled before.
/// </summary>
internal sealed class JournalHealth(OperationRunner runner, OperationJournal journal, TimeProvider time) : IHealthCheck
{
    private static readonly TimeSpan WriteEvery = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
    private DateTimeOffset nextWrite;
    private HealthCheckResult last = HealthCheckResult.Healthy();

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        lock (gate)
        {
            _ = runner.Running();
            var now = time.GetUtcNow();
            // Whoever asks every second shall not wear out the disk.
            if (now < nextWrite && last.Status == HealthStatus.Healthy) return Task.FromResult(last);
            nextWrite = now + WriteEvery;
            last = journal.TryWriteBeat(now) is { } problem
                ? HealthCheckResult.Unhealthy($"the journal cannot be written: {problem.Message}")
                : HealthCheckResult.Healthy();
            return Task.FromResult(last);
        }
    }
}
