using Decant.Agent.Security;
using Grpc.Core;

namespace Decant.Agent.Api;

/// <summary>decant.v1.Certificates: the host's certificate.</summary>
internal sealed class CertificatesService(Enrolment enrolment, IHostApplicationLifetime lifetime) : V1.Certificates.CertificatesBase
{
    /// <inheritdoc/>
    public override async Task Join(V1.JoinRequest request, IServerStreamWriter<V1.JoinEvent> responseStream, ServerCallContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, lifetime.ApplicationStopping);
        var last = "";
        await enrolment.JoinAsync(
            request.Token,
            message =>
            {
                last = message;
                return responseStream.WriteAsync(new V1.JoinEvent { Message = message }, end.Token);
            },
            end.Token);
        await responseStream.WriteAsync(new V1.JoinEvent { Message = last, Enrolled = true }, end.Token);
    }
}
