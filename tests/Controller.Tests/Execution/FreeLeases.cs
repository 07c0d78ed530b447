using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.Names;

namespace Decant.Controller.Tests.Execution;

/// <summary>Leases that nobody else wants, until a test says that somebody has taken them.</summary>
internal sealed class FreeLeases : IHostLeases
{
    /// <summary>What renewals are refused with; null: they are not.</summary>
    public OperatorError? Loss { get; set; }

    public Task<LeaseAnswer> AcquireAsync(AgentAddress agent, WantedLease wanted, CancellationToken cancellation)
        => Task.FromResult<LeaseAnswer>(new LeaseAnswer.Ours());

    public Task<LeaseAnswer> RenewAsync(AgentAddress agent, AppName app, string step, CancellationToken cancellation)
        => Task.FromResult<LeaseAnswer>(Loss is null ? new LeaseAnswer.Ours() : new LeaseAnswer.Refused(Loss, null));

    public Task ReleaseAsync(AgentAddress agent, AppName app) => Task.CompletedTask;

    public Task<OperatorError?> UnlockAsync(AgentAddress agent, HeldLease held, string by, string reason, CancellationToken cancellation)
        => Task.FromResult<OperatorError?>(null);
}
