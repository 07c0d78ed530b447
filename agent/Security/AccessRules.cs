using System.Collections.Frozen;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Decant.Agent.Security;

/// <summary>What each call needs, as the contract's descriptors say (security.proto).</summary>
internal static class AccessRules
{
    private static readonly FrozenDictionary<string, CallRule> Rules = ContractServices.All
        .SelectMany(service => service.Methods)
        .ToFrozenDictionary(method => $"/{method.Service.FullName}/{method.Name}", CallRule.Of);

    // gRPC's own services: they say nothing that GetStatus does not.
    private static readonly string[] Foreign = ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"];

    /// <summary>The rule of a call.</summary>
    /// <param name="call">As gRPC names it: <c>/decant.v1.Hosts/GetStatus</c>.</param>
    /// <returns>Null: it has none, and nobody may call it.</returns>
    public static CallRule? Of(string call)
        => Rules.TryGetValue(call, out var rule) ? rule
            : Foreign.Any(service => call.StartsWith(service, StringComparison.Ordinal)) ? CallRule.ForeignService
            : null;
}

/// <summary>What one call needs.</summary>
/// <param name="Role">The role.</param>
/// <param name="App">The way to the field that has the app; empty: none has.</param>
/// <param name="Operation">The field with the operation whose app it is; null: none.</param>
/// <param name="Backend">The field with the backend that must be the app's; null: none.</param>
/// <param name="IsLocal">On the unix socket only.</param>
internal sealed record CallRule(V1.Role Role, IReadOnlyList<FieldDescriptor> App, FieldDescriptor? Operation, FieldDescriptor? Backend, bool IsLocal)
{
    /// <summary>Of health and reflection.</summary>
    public static CallRule ForeignService { get; } = new(V1.Role.Observer, [], Operation: null, Backend: null, IsLocal: false);

    /// <summary>Reads it.</summary>
    /// <exception cref="InvalidOperationException">The contract is wrong: it has no rule, or a rule about a field that is not there.</exception>
    public static CallRule Of(MethodDescriptor method)
    {
        var rule = method.GetOptions()?.GetExtension(V1.SecurityExtensions.Access);
        if (rule is not { Role: not V1.Role.Unspecified }) throw new InvalidOperationException($"{method.FullName} has no access rule");
        var app = new List<FieldDescriptor>();
        var type = method.InputType;
        foreach (var name in rule.App.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            app.Add(Field(method, type, name));
            if (app[^1].FieldType == FieldType.Message) type = app[^1].MessageType;
        }

        var result = new CallRule(rule.Role, app, Optional(method, rule.Operation), Optional(method, rule.Backend), rule.Local);
        return rule.Role != V1.Role.Deployer || app.Count > 0 || result.Operation is not null
            ? result
            : throw new InvalidOperationException($"{method.FullName} is for deployers of an app, and does not say of which");
    }

    /// <summary>The app that a request is about; empty: it does not say. Null: it has nothing that could say it, as a later part of an upload.</summary>
    public string? AppOf(IMessage request)
    {
        object? value = request;
        foreach (var field in App) value = value is IMessage message ? field.Accessor.GetValue(message) : null;
        return value as string;
    }

    private static FieldDescriptor? Optional(MethodDescriptor method, string name) => name.Length == 0 ? null : Field(method, method.InputType, name);

    private static FieldDescriptor Field(MethodDescriptor method, MessageDescriptor type, string name)
        => type.FindFieldByName(name) ?? throw new InvalidOperationException($"{method.FullName}: {type.FullName} has no field {name}");
}
