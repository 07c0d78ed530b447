using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Names;
using Decant.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace Decant.Controller.Tests.Execution;

/// <summary>What simulated agents keep of deployments, by agent. Whoever asks is on another machine than whoever wrote.</summary>
internal sealed class SimulatedRecords(TimeProvider time, Func<AgentAddress, bool> isDead) : IHostRecords
{
    private readonly Dictionary<(AgentAddress Agent, string Id), DeploymentRecord> records = [];
    private readonly Dictionary<(AgentAddress Agent, string Id), Operation> operations = [];
    private readonly Dictionary<OperationId, DeploymentStep> steps = [];

    /// <summary>Agents whose disks are full.</summary>
    public HashSet<AgentAddress> Full { get; } = [];

    /// <summary>How often each agent was given a record.</summary>
    public int Writings { get; private set; }

    public Task<OperatorError?> PutAsync(AgentAddress agent, DeploymentRecord record, CancellationToken cancellation)
    {
        if (isDead(agent)) return Task.FromResult<OperatorError?>(Gone(agent));
        if (Full.Contains(agent)) return Task.FromResult<OperatorError?>(new OperatorError(StatusCode.ResourceExhausted, "DISK_FULL", $"{agent}: no space left"));
        Writings++;
        var known = records.GetValueOrDefault((agent, record.Id));
        if (known is not null && (known.Attempt, known.Revision).CompareTo((record.Attempt, record.Revision)) > 0)
            return Task.FromResult<OperatorError?>(new OperatorError(StatusCode.FailedPrecondition, "RECORD_SUPERSEDED", "it has gone on elsewhere"));
        records[(agent, record.Id)] = record.Clone();
        return Task.FromResult<OperatorError?>(null);
    }

    public void Describe(OperationId operation, DeploymentStep step) => steps[operation] = step;

    /// <summary>An agent's own journal.</summary>
    public void Journal(AgentAddress agent, OperationId operation, DeploymentId deployment, StepOutcome outcome) => operations[(agent, operation.Value)] = new Operation
    {
        Ref = new OperationRef { Id = operation.Value, DeploymentId = deployment.Value, Step = steps.GetValueOrDefault(operation) },
        State = outcome is StepOutcome.Succeeded ? OperationState.Succeeded : OperationState.Failed,
        StartedAt = Timestamp.FromDateTimeOffset(time.GetUtcNow()),
        EndedAt = Timestamp.FromDateTimeOffset(time.GetUtcNow()),
        Error = (outcome as StepOutcome.Failed)?.Error.ToStatus(),
    };

    public Task<(IReadOnlyList<KeptDeployment> Kept, OperatorError? Error)> ListAsync(
        AgentAddress agent, AppName app, DeploymentId? deployment, CancellationToken cancellation)
        => Task.FromResult<(IReadOnlyList<KeptDeployment>, OperatorError?)>(isDead(agent)
            ? ([], Gone(agent))
            : ([.. records.Where(r => r.Key.Agent == agent && (deployment is null || r.Key.Id == deployment.Value)).Select(r => Kept(r.Value, deployment is null))], null));

    public Task<(IReadOnlyList<Operation> Operations, OperatorError? Error)> OperationsAsync(
        AgentAddress agent, DeploymentId deployment, CancellationToken cancellation)
        => Task.FromResult<(IReadOnlyList<Operation>, OperatorError?)>(isDead(agent)
            ? ([], Gone(agent))
            : ([.. operations.Where(o => o.Key.Agent == agent && o.Value.Ref.DeploymentId == deployment.Value).Select(o => o.Value)], null));

    private static KeptDeployment Kept(DeploymentRecord record, bool brief)
    {
        var copy = record.Clone();
        (copy.Controller.Machine, copy.Controller.Process) = ("ops1", "another-boot/1");
        if (brief)
        {
            (copy.Manifest, copy.Plan) = ("", "");
            copy.Cutovers.Clear();
        }

        return new KeptDeployment { Record = copy };
    }

    private static OperatorError Gone(AgentAddress agent) => new(StatusCode.Unavailable, "AGENT_UNREACHABLE", $"{agent}: connection refused");
}
