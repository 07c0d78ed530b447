using Decant.Agent.Instances;
using Decant.Names;

namespace Decant.Agent.Supervision;

/// <summary>
/// How slots and commands are called as units. An instance's name is APP-SLOT. A '-' that belongs to a name is written as '.', which no name has, so
/// that the one '-' tells app from slot.
/// </summary>
internal static class UnitNames
{
    /// <summary>The port mapper.</summary>
    public const string PortMapper = "decant-epmd.service";

    /// <summary>What its order is called. No instance of a slot is: those have a '-'.</summary>
    public const string PortMapperInstance = "epmd";

    private const string AppTemplate = "decant-app@";
    private const string TaskTemplate = "decant-task@";
    private const string Suffix = ".service";

    /// <summary>The instance of a slot: <c>shop-blue</c>, <c>shop.api-blue</c>.</summary>
    public static string Instance(InstanceKey key) => $"{Written(key.App.Value)}-{Written(key.Slot.Value)}";

    /// <summary>The unit of a slot: <c>decant-app@shop-blue.service</c>.</summary>
    public static string Of(InstanceKey key) => $"{AppTemplate}{Instance(key)}{Suffix}";

    /// <summary>The unit of a command that runs in a slot; each has one of its own.</summary>
    /// <param name="instance">Of <see cref="Task"/>.</param>
    public static string OfTask(string instance) => $"{TaskTemplate}{instance}{Suffix}";

    /// <summary>The instance of a command: that of its slot, and a number of its own.</summary>
    public static string Task(InstanceKey key, long number) => $"{Instance(key)}-{number:x}";

    /// <summary>The slot that a unit is of; null when it is another's.</summary>
    public static InstanceKey? SlotOf(string unit)
    {
        if (!unit.StartsWith(AppTemplate, StringComparison.Ordinal) || !unit.EndsWith(Suffix, StringComparison.Ordinal)) return null;
        var parts = unit[AppTemplate.Length..^Suffix.Length].Split('-');
        return parts.Length == 2 && AppName.TryParse(Read(parts[0]), out var app, out _) && SlotName.TryParse(Read(parts[1]), out var slot, out _)
            ? new InstanceKey(app, slot)
            : null;
    }

    /// <summary>The app that an instance, of a slot or of a command, is of; null when it is none.</summary>
    public static AppName? AppOf(string instance) => AppName.TryParse(Read(instance.Split('-')[0]), out var app, out _) ? app : null;

    private static string Written(string name) => name.Replace('-', '.');

    private static string Read(string written) => written.Replace('.', '-');
}
