using Decant.Agent.Configuration;
using Decant.Agent.Security;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Enrolment: what the controller calls.</summary>
internal sealed class EnrolmentService(Enrolment enrolment, AgentIdentity identity) : V1.Enrolment.EnrolmentBase
{
    /// <inheritdoc/>
    public override Task<V1.BeginEnrolmentResponse> BeginEnrolment(V1.BeginEnrolmentRequest request, ServerCallContext context)
        => Task.FromResult(enrolment.Begin(request));

    /// <inheritdoc/>
    public override Task<V1.CompleteEnrolmentResponse> CompleteEnrolment(V1.CompleteEnrolmentRequest request, ServerCallContext context)
    {
        enrolment.Complete(request);
        return Task.FromResult(new V1.CompleteEnrolmentResponse { Host = identity.Host });
    }
}
