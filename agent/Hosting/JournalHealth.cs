using Decant.Agent.Operations;
using Decant.Agent.State;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Decant.Agent.Hosting;

/// <summary>
/// Whether the agent can do its work: the runner answers, and the journal can be written and read. What the gRPC health service says; also
/// writes the ends of operations that could not be journaled before.
/// </summary>
internal sealed class JournalHealth(OperationRunner runner, AgentDatabase database, OperationJournal journal, TimeProvider time) : IHealthCheck
{
    private static readonly TimeSpan WriteEvery = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
    private long? written;
    private HealthCheckResult last = HealthCheckResult.Healthy();

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        lock (gate)
        {
            _ = runner.Running();
            if (database.Fault is { } fault) return Task.FromResult(HealthCheckResult.Unhealthy(fault.Error.Message));
            // Whoever asks every second shall not wear out the disk.
            if (written is { } before && time.GetElapsedTime(before) < WriteEvery && last.Status == HealthStatus.Healthy) return Task.FromResult(last);
            written = time.GetTimestamp();
            last = journal.TryWriteBeat(time.GetUtcNow()) is { } problem
                ? HealthCheckResult.Unhealthy($"the journal cannot be written: {problem.Message}")
                : HealthCheckResult.Healthy();
            return Task.FromResult(last);
        }
    }
}
