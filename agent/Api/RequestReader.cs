using System.Diagnostics.CodeAnalysis;
using Decant.Agent.Operations;
using Decant.Errors;
using Decant.Names;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Agent.Api;

/// <summary>
/// Reads the fields of one request into valid values and collects every field that is wrong. Use: read all fields, then
/// <see cref="ThrowIfWrong"/>, then use them.
/// </summary>
internal sealed class RequestReader
{
    private readonly List<FieldError> errors = [];

    /// <summary>A function such as <see cref="AppName.TryParse"/>.</summary>
    public delegate bool Parser<T>(string? text, [NotNullWhen(true)] out T? value, [NotNullWhen(false)] out string? reason)
        where T : class;

    /// <summary>A required name. The result is null only if the field is wrong, in which case <see cref="ThrowIfWrong"/> throws.</summary>
    public T Required<T>(string field, string? text, Parser<T> parse)
        where T : class
    {
        if (parse(text, out var value, out var reason)) return value;
        Wrong(field, reason);
        return null!;
    }

    /// <summary>An optional name: null when the field is empty.</summary>
    public T? Optional<T>(string field, string? text, Parser<T> parse)
        where T : class
        => string.IsNullOrEmpty(text) ? null : Required(field, text, parse);

    /// <summary>A release by version and digest, both required.</summary>
    public ReleaseId Release(string field, V1.ReleaseRef? release)
    {
        if (release is null)
        {
            Wrong(field, "release is missing");
            return null!;
        }

        var version = Required<ReleaseVersion>($"{field}.version", release.Version, ReleaseVersion.TryParse);
        var digest = Required<Sha256Digest>($"{field}.digest", release.Digest, Sha256Digest.TryParse);
        return new ReleaseId(version, digest);
    }

    /// <summary>A duration within bounds; <paramref name="fallback"/> when it is not set (or zero).</summary>
    public TimeSpan Duration(string field, Duration? duration, TimeSpan fallback, TimeSpan min, TimeSpan max)
    {
        if (duration is null or { Seconds: 0, Nanos: 0 }) return fallback;
        if (duration.Seconds < 0 || duration.Seconds > (long)max.TotalSeconds + 1)
        {
            Wrong(field, $"{duration.Seconds} s is not within {Shown(min)} to {Shown(max)}");
            return fallback;
        }

        var value = TimeSpan.FromSeconds(duration.Seconds) + TimeSpan.FromTicks(duration.Nanos / 100);
        if (value >= min && value <= max) return value;
        Wrong(field, $"{Shown(value)} is not within {Shown(min)} to {Shown(max)}");
        return fallback;
    }

    /// <summary>A lease's token; null when the caller has none.</summary>
    public FencingToken? Token(string field, ulong value)
    {
        if (value == 0) return null;
        if (FencingToken.TryRead(value, out var token)) return token;
        Wrong(field, $"{value} is no token that an agent gave");
        return null;
    }

    /// <summary>A text for people.</summary>
    /// <param name="field">The field.</param>
    /// <param name="text">What it holds.</param>
    /// <param name="most">Characters that it may have.</param>
    /// <param name="required">It must have some.</param>
    public string Text(string field, string text, int most, bool required = false)
    {
        if (required && string.IsNullOrWhiteSpace(text)) Wrong(field, $"say it, in 1 to {most} characters");
        else if (text.Length > most) Wrong(field, $"has {text.Length} characters, at most {most} are allowed");
        else if (text.Any(char.IsControl)) Wrong(field, "has control characters; it is one line for people");
        return text;
    }

    /// <summary>A text of several lines for people.</summary>
    /// <param name="field">The field.</param>
    /// <param name="text">What it holds.</param>
    /// <param name="most">Characters that it may have.</param>
    public string Lines(string field, string text, int most)
    {
        if (text.Length > most) Wrong(field, $"has {text.Length} characters, at most {most} are allowed");
        return text;
    }

    /// <summary>Notes that a field is wrong.</summary>
    public void Wrong(string field, string reason) => errors.Add(new FieldError(field, reason));

    /// <summary>The operation that a mutating request begins.</summary>
    /// <param name="request">The whole request; it is fingerprinted without its <c>operation</c> field.</param>
    /// <param name="operation">Its <c>operation</c> field.</param>
    /// <param name="kind">What kind of work.</param>
    /// <param name="subject">What it is about.</param>
    /// <param name="exclusive">Whose turn it waits for; null for none.</param>
    public OperationRequest Operation(
        IMessage request, V1.OperationRef? operation, OperationKind kind, OperationSubject subject, string? exclusive)
    {
        var id = Required<OperationId>("operation.id", operation?.Id, OperationId.TryParse);
        var deployment = Optional<DeploymentId>("operation.deployment_id", operation?.DeploymentId, DeploymentId.TryParse);
        return new OperationRequest(
            id,
            deployment,
            kind,
            subject,
            RequestFingerprint.Of(request),
            exclusive,
            Token("operation.fencing_token", operation?.FencingToken ?? 0),
            operation?.Step is { } step ? DeploymentMapping.ReadStep(this, "operation.step", step) : null);
    }

    /// <summary>Refuses the request when any field is wrong, naming all of them.</summary>
    /// <exception cref="OperatorException">INVALID_ARGUMENT BAD_REQUEST.</exception>
    public void ThrowIfWrong()
    {
        if (errors.Count > 0) throw new OperatorException(OperatorError.BadRequest(errors));
    }

    private static string Shown(TimeSpan time) => time.TotalSeconds >= 1 ? $"{time.TotalSeconds:0.###} s" : $"{time.TotalMilliseconds:0.###} ms";
}
