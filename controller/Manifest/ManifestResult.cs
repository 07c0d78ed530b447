using Decant.Errors;
using Grpc.Core;

namespace Decant.Controller.Manifest;

/// <summary>What reading a manifest comes to.</summary>
public abstract record ManifestResult
{
    private ManifestResult()
    {
    }

    /// <summary>It is valid.</summary>
    public sealed record Valid(DeploymentManifest Manifest) : ManifestResult;

    /// <summary>It is not; every error, in the order of the file.</summary>
    /// <param name="Errors">At least one.</param>
    public sealed record Invalid(IReadOnlyList<ManifestError> Errors) : ManifestResult
    {
        /// <summary>All of them as one error for the operator.</summary>
        /// <param name="file">As the operator named it.</param>
        public OperatorError ToOperatorError(string file) => new(
            StatusCode.InvalidArgument,
            "MANIFEST_INVALID",
            string.Join('\n', Errors.Select(e => e.Describe(file))),
            $"correct {file}; nothing was touched")
        {
            Fields = [.. Errors.Select(e => new FieldError(e.Path, e.Reason))],
        };
    }
}

/// <summary>Something in a manifest that is wrong.</summary>
/// <param name="Line">From 1; 0 when the file could not be read at all.</param>
/// <param name="Column">From 1; 0 as for <paramref name="Line"/>.</param>
/// <param name="Path">Keys from the top, joined by dots: <c>hosts.web1.port</c>; empty for the whole file.</param>
/// <param name="Reason">What is wrong.</param>
/// <param name="Suggestion">What would be right; may be empty.</param>
public sealed record ManifestError(int Line, int Column, string Path, string Reason, string Suggestion)
{
    /// <summary>One line, as compilers write it: <c>decant.yml:4:3: health: unknown key `patth`: did you mean `path`?</c></summary>
    /// <param name="file">As the operator named it.</param>
    public string Describe(string file)
        => string.Concat(
            file,
            Line > 0 ? $":{Line}:{Column}" : "",
            Path.Length > 0 ? $": {Path}" : "",
            $": {Reason}",
            Suggestion.Length > 0 ? $": {Suggestion}" : "");
}
