/* A stand-in for the NVIDIA driver's libnvidia-ml.so.1, for machines without a GPU. It is no driver and computes
 * nothing: it answers what the text file named by FAKE_NVML_STATE says, read anew at each call, so that a test can let
 * cards appear, fail and hang. Only the functions that labpool asks are here, with the ABI of the driver's nvml.h; the
 * real nvidia-ml-py loads and calls them. Without a file it behaves as a library whose driver is not loaded.
 *
 *   init CODE                                  what nvmlInit returns, 0 without this line
 *   down CODE                                  what everything after nvmlInit returns
 *   hang                                       nvmlDeviceGetCount does not return while this line is there
 *   card UUID BYTES MIG CODE PROCESSES NAME    one card; CODE is what asking for it returns, PROCESSES what listing its
 *                                              processes returns; MIG is 0, 1, or -1 where the card knows no such mode
 *   process INDEX PID                          a process that computes on the card
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, MOST = 16 };

typedef struct { unsigned long long total, free, used; } memory_info;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gpu_instance, compute_instance; } process_info;

typedef struct {
    char uuid[96], name[96];
    unsigned long long bytes;
    int mig, code, processes_code;
    unsigned int pids[MOST], process_count;
} card_state;

typedef struct { int init, down, hang; unsigned int count; card_state cards[MOST]; } driver_state;

static int initialised = 0;

static void read_line(driver_state *state, const char *line) {
    unsigned int index, pid;
    card_state card = {0};
    if (sscanf(line, "init %d", &state->init) == 1 || sscanf(line, "down %d", &state->down) == 1) return;
    if (strncmp(line, "hang", 4) == 0) state->hang = 1;
    if (sscanf(line, "process %u %u", &index, &pid) == 2 && index < state->count) {
        card_state *used = &state->cards[index];
        if (used->process_count < MOST) used->pids[used->process_count++] = pid;
    }
    if (sscanf(line, "card %95s %llu %d %d %d %95[^\n]", card.uuid, &card.bytes, &card.mig, &card.code,
               &card.processes_code, card.name) == 6 && state->count < MOST)
        state->cards[state->count++] = card;
}

static driver_state read_state(void) {
    driver_state state = {0};
    const char *path = getenv("FAKE_NVML_STATE");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512];
    if (!file) {
        state.init = state.down = DRIVER_NOT_LOADED;
        return state;
    }
    while (fgets(line, sizeof line, file)) read_line(&state, line);
    fclose(file);
    return state;
}

/* A driver that went down knows nobody when it comes back: nvmlInit must be called anew. */
static int go_down(const driver_state *state) {
    initialised = 0;
    return state->down;
}

/* A handle is the card's index + 1. */
static int find_card(const void *handle, card_state *card) {
    driver_state state = read_state();
    size_t index = (size_t)handle - 1;
    if (state.down) return go_down(&state);
    if (!initialised) return UNINITIALIZED;
    *card = state.cards[index];
    return card->code;
}

int nvmlInitWithFlags(unsigned int flags) {
    driver_state state = read_state();
    (void)flags;
    initialised = state.init == SUCCESS;
    return state.init;
}

int nvmlShutdown(void) {
    initialised = 0;
    return SUCCESS;
}

const char *nvmlErrorString(int code) {
    (void)code;
    return "an error of the stand-in";
}

int nvmlDeviceGetCount_v2(unsigned int *count) {
    driver_state state = read_state();
    while (state.hang) {
        usleep(20000);
        state = read_state();
    }
    if (state.down) return go_down(&state);
    if (!initialised) return UNINITIALIZED;
    *count = state.count;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) {
    card_state card;
    *handle = (void *)(size_t)(index + 1);
    return find_card(*handle, &card);
}

int nvmlDeviceGetName(void *handle, char *name, unsigned int length) {
    card_state card;
    int code = find_card(handle, &card);
    if (code == SUCCESS) snprintf(name, length, "%s", card.name);
    return code;
}

int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned int length) {
    card_state card;
    int code = find_card(handle, &card);
    if (code == SUCCESS) snprintf(uuid, length, "%s", card.uuid);
    return code;
}

int nvmlDeviceGetMemoryInfo(void *handle, memory_info *memory) {
    card_state card;
    int code = find_card(handle, &card);
    if (code == SUCCESS && card.bytes == 0) return NOT_SUPPORTED;
    if (code == SUCCESS) *memory = (memory_info){card.bytes, card.bytes, 0};
    return code;
}

int nvmlDeviceGetMigMode(void *handle, unsigned int *current, unsigned int *pending) {
    card_state card;
    int code = find_card(handle, &card);
    if (code == SUCCESS && card.mig < 0) return NOT_SUPPORTED;
    if (code == SUCCESS) *current = *pending = (unsigned int)card.mig;
    return code;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count, process_info *processes) {
    card_state card;
    int code = find_card(handle, &card);
    unsigned int room = *count;
    if (code != SUCCESS) return code;
    if (card.processes_code != SUCCESS) return card.processes_code;
    *count = card.process_count;
    if (card.process_count == 0) return SUCCESS;
    if (!processes || room < card.process_count) return INSUFFICIENT_SIZE;
    for (unsigned int i = 0; i < card.process_count; i++)
        processes[i] = (process_info){card.pids[i], 1u << 30, 0xFFFFFFFFu, 0xFFFFFFFFu};
    return SUCCESS;
}
