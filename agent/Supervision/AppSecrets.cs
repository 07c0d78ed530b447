using System.Collections;
using Decant.Agent.Configuration;
using Decant.Agent.Elixir;
using Decant.Errors;

namespace Decant.Agent.Supervision;

/// <summary>
/// <c>decantd app-secrets INSTANCE</c>, which the app's units run as root before anything else: puts the app's env file where systemd reads it, so
/// that neither the agent nor another app ever can. What to read follows from the unit's name and from agent.yml alone, nothing that the agent
/// wrote.
/// </summary>
internal static class AppSecrets
{
    /// <summary>First argument of decantd that makes it this.</summary>
    public const string Mode = "app-secrets";

    /// <summary>Names the variables that came from the env file, for who has to tell them from others.</summary>
    private const string Names = "DECANT_SECRETS";

    private const string Directory = "/run/decant-secrets";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Writes the file of an instance, of a slot or of a command.</summary>
    /// <param name="configuration">Of this host.</param>
    /// <param name="instance">Its name.</param>
    /// <param name="errors">Told why not.</param>
    /// <returns>Exit code.</returns>
    public static int Write(AgentConfiguration configuration, string instance, TextWriter errors)
    {
        if (UnitNames.AppOf(instance) is not { } app)
        {
            errors.WriteLine($"decantd: \"{instance}\" is no instance of an app");
            return 2;
        }

        try
        {
            var secrets = configuration.EnvFileOf(app) is { } file ? Allowed(EnvFile.Read(file)) : [];
            System.IO.Directory.CreateDirectory(Directory, OwnerOnly);
            secrets[Names] = string.Join(' ', secrets.Keys);
            EnvironmentFile.Write(Path.Combine(Directory, $"{instance}.env"), secrets);
            return 0;
        }
        catch (OperatorException exception)
        {
            errors.WriteLine($"decantd: {exception.Error.Message}; {exception.Error.WhatNext}");
            return 1;
        }
    }

    /// <summary>The variables of an environment that came from the app's env file.</summary>
    public static IEnumerable<string> NamesIn(IDictionary environment)
        => (environment[Names] as string ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries).Where(name => environment[name] is string);

    /// <summary>What the agent sets wins over the env file; only the cookie may come from there.</summary>
    private static Dictionary<string, string> Allowed(IReadOnlyDictionary<string, string> secrets) => new(secrets.Where(variable
        => !(SlotEnvironment.IsReserved(variable.Key) && variable.Key != SlotEnvironment.Cookie) && !SlotEnvironment.IsOfTheAgent(variable.Key)));
}
