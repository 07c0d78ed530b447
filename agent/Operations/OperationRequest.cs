using Decant.Names;

namespace Decant.Agent.Operations;

/// <summary>A call that changes something, read and valid.</summary>
/// <param name="Id">Chosen by the caller.</param>
/// <param name="Deployment">The deployment that causes it.</param>
/// <param name="Kind">What kind of work.</param>
/// <param name="Subject">What it is about.</param>
/// <param name="Fingerprint">Hash of the request without its ids.</param>
/// <param name="Exclusive">
/// Operations of one key run one after the other, in the order of their calls; null when it needs no turn. One writer per app and
/// host: <c>app/shop</c>; migrations <c>migrate/shop</c>; balancer members <c>member/edge/shop/web1</c>.
/// </param>
/// <param name="Token">Of the caller's lease; null: it has none.</param>
/// <param name="Step">What the caller says of the step that it is; null: nothing.</param>
internal sealed record OperationRequest(
    OperationId Id,
    DeploymentId? Deployment,
    OperationKind Kind,
    OperationSubject Subject,
    string Fingerprint,
    string? Exclusive,
    FencingToken? Token = null,
    CallersStep? Step = null);

/// <summary>The step of a deployment that an operation is, as its caller describes it: kept for other controllers, and not looked into.</summary>
/// <param name="Content">As it came.</param>
internal sealed record CallersStep(ReadOnlyMemory<byte> Content);
